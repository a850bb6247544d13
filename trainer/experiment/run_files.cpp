#include "trainer/experiment/run_files.h"

#include <algorithm>
#include <regex>

#include "data/files/atomic_directory.h"
#include "data/files/places.h"

namespace dualpath::trainer {
namespace {

namespace fs = std::filesystem;

/// The path without a ".tmp-<pid>" behind any of its names.
std::string without_temporaries(const std::string& path) {
  static const std::regex kTemporary(R"(\.tmp-[0-9]+(?=/|$))");
  return std::regex_replace(path, kTemporary, "");
}

/// An entry's path relative to a run's directory, for is_run_file().
std::string name_of(const fs::path& directory, const fs::directory_entry& entry) {
  const bool is_folder = !entry.is_symlink() && entry.is_directory();
  return entry.path().lexically_relative(directory).string() + (is_folder ? "/" : "");
}

}  // namespace

bool is_run_file(std::string path) {
  static const std::regex kMade(
      R"(\.lock|recipe\.resolved\.yaml|calibration\.safetensors|selection\.json|report\.(json|html))"
      R"(|control/|blocks/([0-9]+/)?)"
      R"(|(control/|blocks/[0-9]+/)?(log\.jsonl|checkpoint-[0-9]+/))"
      R"(|(control/|blocks/[0-9]+/)?checkpoint-[0-9]+/)"
      R"((trained\.safetensors|optimizer\.safetensors|state\.json))"
      R"(|process-[0-9]+\.log|features/([0-9a-f]{64}\.safetensors)?)"
      R"(|runs/([a-z_0-9]+/)*(events\.out\.tfevents\..+)?)");
  path = without_temporaries(path);
  for (const char* earlier : {".previous/", ".aside/"}) {  // see previous_run.h
    if (path == earlier) return true;
    if (path.starts_with(earlier)) return is_run_file(path.substr(std::string(earlier).size()));
  }
  return std::regex_match(path, kMade);
}

std::vector<std::string> foreign_files(const fs::path& directory) {
  std::vector<std::string> foreign;
  for (auto entry = fs::recursive_directory_iterator(directory);
       entry != fs::recursive_directory_iterator(); ++entry) {
    const std::string name = name_of(directory, *entry);
    if (!entry->is_symlink() && is_run_file(name) && !is_mount_point(entry->path())) continue;
    foreign.push_back(name);
    entry.disable_recursion_pending();
  }
  std::ranges::sort(foreign);
  return foreign;
}

std::vector<std::string> run_files(const fs::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    const bool is_ours = is_run_file(name) || is_run_file(name + "/");
    if (is_ours && name != kRunLock && final_name(name).empty()) names.push_back(name);
  }
  std::ranges::sort(names);
  return names;
}

void remove_stale_run_files(const fs::path& directory) {
  const auto remove = [](const fs::path& folder, const std::string& prefix) {
    if (!fs::is_directory(folder)) return;
    remove_stale_temporaries(folder, [&](std::string_view name) {
      const std::string path = prefix + std::string(name);
      return is_run_file(path) || is_run_file(path + "/");
    });
  };
  remove(directory, "");
  remove(directory / "control", "control/");
  if (const fs::path blocks = directory / "blocks"; fs::is_directory(blocks)) {
    for (const auto& block : fs::directory_iterator(blocks))
      remove(block.path(), "blocks/" + block.path().filename().string() + "/");
  }
  remove(directory / kFeatures, std::string(kFeatures) + "/");
}

}  // namespace dualpath::trainer
