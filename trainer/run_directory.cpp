#include "trainer/run_directory.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "data/base/atomic_directory.h"
#include "data/base/atomic_file.h"
#include "data/base/error.h"
#include "data/base/file.h"
#include "data/formats/json.h"
#include "trainer/recipe.h"

namespace dualpath::trainer {
namespace {

namespace fs = std::filesystem;

constexpr const char* kResolved = "recipe.resolved.yaml";
constexpr const char* kLock = ".lock";

fs::path created(const fs::path& directory) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error)
    throw Error("{}: cannot create: {}", fs::absolute(directory).string(), error.message());
  return directory;
}

fs::path existing(const fs::path& directory) {
  if (fs::exists(directory / kResolved)) return directory;
  throw Error("{}: no run there; run `dualpath calibrate` or `dualpath train` first",
              directory.string());
}

/// Only what is a run's directory: it may have been mistyped. The recipe goes last: killed before,
/// the directory still belongs to it, and nothing of it is taken for another's.
void remove_contents(const fs::path& directory) {
  const bool is_run = fs::exists(directory / kResolved);
  const auto entries = std::distance(fs::directory_iterator(directory), fs::directory_iterator());
  if (!is_run && entries > 1) {  // one is the lock
    throw UsageError("{}: --restart would empty it, but it is no run directory (it has no {})",
                     fs::absolute(directory).string(), kResolved);
  }
  for (const auto& entry : fs::directory_iterator(directory)) {
    const fs::path name = entry.path().filename();
    if (name != kLock && name != kResolved) fs::remove_all(entry.path());
  }
  fs::remove(directory / kResolved);
}

/// The keys that the trained result depends on, a line each.
std::vector<std::string> binding_lines(Recipe recipe) {
  recipe.evaluate = {};
  recipe.export_ = {};
  recipe.num_threads = 0;
  recipe.compute = {};                          // changes no bit
  recipe.train.gradient_checkpointing = false;  // neither does this
  recipe.train.report_to = {};
  recipe.train.output_dir.clear();
  std::vector<std::string> lines;
  std::istringstream yaml(to_yaml(recipe));
  for (std::string line; std::getline(yaml, line);) lines.push_back(line);
  return lines;
}

std::string first_difference(const Recipe& there, const Recipe& here) {
  const std::vector<std::string> old_lines = binding_lines(there), new_lines = binding_lines(here);
  const auto [a, b] =
      std::mismatch(old_lines.begin(), old_lines.end(), new_lines.begin(), new_lines.end());
  const auto text = [](auto line, auto end) {
    return line == end ? std::string("(nothing)") : *line;
  };
  if (a == old_lines.end() && b == new_lines.end()) return "";
  return fmt::format("\"{}\" there, \"{}\" here", text(a, old_lines.end()),
                     text(b, new_lines.end()));
}

}  // namespace

RunDirectory::RunDirectory(const Recipe& recipe, RunAccess access)
    : path_(access == RunAccess::kRead ? existing(recipe.train.output_dir)
                                       : created(recipe.train.output_dir)),
      report_to_(recipe.train.report_to),
      lock_(path_ / kLock) {
  if (access == RunAccess::kRestart) remove_contents(path_);
  remove_stale_temporaries(path_);
  if (fs::exists(control())) remove_stale_temporaries(control());
  if (fs::exists(path_ / kResolved)) refuse_other_recipe(recipe);
  if (access != RunAccess::kRead) write_file(path_ / kResolved, to_yaml(recipe));
}

void RunDirectory::refuse_other_recipe(const Recipe& recipe) const {
  Recipe there = load_recipe(path_ / kResolved);
  if (recipe.train.max_steps > there.train.max_steps)
    there.train.max_steps = recipe.train.max_steps;
  const std::string difference = first_difference(there, recipe);
  if (!difference.empty()) {
    throw UsageError("{}: made by another recipe: {}; --restart starts anew", path_.string(),
                     difference);
  }
}

fs::path RunDirectory::resolved_recipe() const { return path_ / kResolved; }

std::optional<fs::path> RunDirectory::events(const std::string& name) const {
  if (report_to_ == ReportTo::kNone) return std::nullopt;
  return path_ / "runs" / name;
}

nlohmann::json RunDirectory::read_report() const {
  return fs::exists(report()) ? data::read_json(report()) : nlohmann::json::object();
}

void RunDirectory::update_report(const std::string& section, const nlohmann::json& content) const {
  nlohmann::json all = read_report();
  all[section] = content;
  write_file(report(), all.dump(2) + "\n");
}

}  // namespace dualpath::trainer
