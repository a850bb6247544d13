#include "trainer/previous_run.h"

#include "trainer/run_files.h"

namespace dualpath::trainer {
namespace {

namespace fs = std::filesystem;

constexpr const char *kAside = ".aside", *kPrevious = ".previous";

bool belongs_to_run(const std::string& name) { return name != kAside && name != kPrevious; }

void move_files(const fs::path& from, const fs::path& to) {
  for (const std::string& name : run_files(from))
    if (belongs_to_run(name)) fs::rename(from / name, to / name);
}

void bring_back(const fs::path& directory) {
  move_files(directory / kAside, directory);
  fs::remove(directory / kAside);
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
  if (fs::exists(directory / kAside)) return bring_back(directory);
  if (!fs::exists(directory / kPrevious)) return;
  if (fs::exists(directory / kCalibrationFile)) {
    fs::remove_all(directory / kPrevious);
    return;
  }
  remove_new_run(directory);
  fs::rename(directory / kPrevious, directory / kAside);
  bring_back(directory);
}

bool holds_run(const fs::path& directory) {
  for (const fs::path& place : {directory, directory / kAside, directory / kPrevious})
    if (fs::exists(place / kResolvedRecipe)) return true;
  return false;
}

}  // namespace dualpath::trainer
