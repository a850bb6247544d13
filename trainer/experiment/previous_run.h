#pragma once

#include <filesystem>

namespace dualpath::trainer {

/// A restart that fails before it has made anything worth keeping leaves the old run unchanged. The
/// old run is set aside first, and goes for good when the new run has its calibration. A kill at
/// any moment loses neither; the next command settles it.
///   .aside/      files of a run on their way there or back
///   .previous/   a whole run, while another one is made anew in its place

/// Moves all files of the run into .previous/. There must be nothing but run_files.
void set_run_aside(const std::filesystem::path& directory);

/// Settles a run that was set aside: deletes it if the new run has its calibration. Else deletes
/// the new run's files and brings the old run back. Folders of these names that hold anything else
/// are somebody's own and stay.
void settle_previous_run(const std::filesystem::path& directory);

/// Whether a run lies in the directory, or was set aside there.
bool holds_run(const std::filesystem::path& directory);

}  // namespace dualpath::trainer
