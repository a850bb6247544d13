#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace dualpath::trainer {

inline constexpr const char* kResolvedRecipe = "recipe.resolved.yaml";
inline constexpr const char* kCalibrationFile = "calibration.safetensors";
inline constexpr const char* kRunLock = ".lock";

/// Whether a run makes a file or folder of this path, relative to its directory; a folder's ends
/// with a slash. Temporaries count as what they were to become.
bool is_run_file(std::string path);

/// What lies in a run's directory although no run makes it, links and mount points among that:
/// paths relative to the directory, sorted; of a folder that is foreign as a whole its own name
/// alone.
std::vector<std::string> foreign_files(const std::filesystem::path& directory);

/// The names in a directory that a run gives to what it keeps, so without its lock and temporaries;
/// sorted.
std::vector<std::string> run_files(const std::filesystem::path& directory);

/// Deletes what killed runs left half-written in a run's directory; the lock must be held.
void remove_stale_run_files(const std::filesystem::path& directory);

}  // namespace dualpath::trainer
