#include "trainer/experiment/previous_run.h"

#include "data/base/error.h"
#include "trainer/experiment/run_files.h"

namespace dualpath::trainer {
namespace {

namespace fs = std::filesystem;

constexpr const char *kAside = ".aside", *kPrevious = ".previous";

bool belongs_to_run(const std::string& name) { return name != kAside && name != kPrevious; }

void move_files(const fs::path& from, const fs::path& to) {
  for (const std::string& name : run_files(from))
    if (belongs_to_run(name)) fs::rename(from / name, to / name);
}

/// Whether a folder is a run's: a user may have a folder of this name, too.
bool is_of_run(const fs::path& folder) {
  return fs::is_directory(fs::symlink_status(folder)) && foreign_files(folder).empty();
}

bool is_previous_run(const fs::path& folder) {
  return is_of_run(folder) && fs::exists(folder / kResolvedRecipe);
}

void bring_back(const fs::path& directory) {
  const fs::path aside = directory / kAside;
  for (const std::string& name : run_files(aside)) {
    if (fs::exists(fs::symlink_status(directory / name)))
      throw Error("{}: is in the way of {}", (directory / name).string(), (aside / name).string());
  }
  move_files(aside, directory);
  fs::remove(aside);
}

void remove_new_run(const fs::path& directory) {
  for (const std::string& name : run_files(directory))
    if (belongs_to_run(name)) fs::remove_all(directory / name);
}

}  // namespace

void set_run_aside(const fs::path& directory) {
  fs::create_directory(directory / kAside);
  move_files(directory, directory / kAside);
  fs::rename(directory / kAside, directory / kPrevious);
}

void settle_previous_run(const fs::path& directory) {
  if (is_of_run(directory / kAside)) return bring_back(directory);
  if (!is_previous_run(directory / kPrevious)) return;
  if (fs::exists(directory / kCalibrationFile)) {
    fs::remove_all(directory / kPrevious);
    return;
  }
  remove_new_run(directory);
  fs::rename(directory / kPrevious, directory / kAside);
  bring_back(directory);
}

bool holds_run(const fs::path& directory) {
  return fs::exists(directory / kResolvedRecipe) || is_of_run(directory / kAside) ||
         is_previous_run(directory / kPrevious);
}

}  // namespace dualpath::trainer
