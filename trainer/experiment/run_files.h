#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace dualpath::trainer {

inline constexpr const char* kResolvedRecipe = "recipe.resolved.yaml";
inline constexpr const char* kCalibrationFile = "calibration.safetensors";
inline constexpr const char* kFeatures = "features";
inline constexpr const char* kRunLock = ".lock";

/// Whether a run makes a file or folder of this path, relative to its directory; a folder's path
/// ends with a slash. A temporary counts as the file it was to become.
bool is_run_file(std::string path);

/// Lists what lies in a run's directory although no run makes it, links and mount points included.
/// Paths are sorted and relative to the directory; a folder that is foreign as a whole is listed by
/// its own name alone.
std::vector<std::string> foreign_files(const std::filesystem::path& directory);

/// Lists, sorted, the names in a directory that a run gives to the files it keeps: neither its lock
/// nor temporaries.
std::vector<std::string> run_files(const std::filesystem::path& directory);

/// Deletes the files that killed runs left half-written in a run's directory; the lock must be
/// held.
void remove_stale_run_files(const std::filesystem::path& directory);

}  // namespace dualpath::trainer
