#include "trainer/experiment/run_directory.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "data/base/error.h"
#include "data/files/atomic_file.h"
#include "data/files/file.h"
#include "data/files/places.h"
#include "data/formats/json.h"
#include "trainer/experiment/binding_keys.h"
#include "trainer/experiment/output_places.h"
#include "trainer/experiment/previous_run.h"
#include "trainer/experiment/run_files.h"
#include "trainer/recipe/recipe.h"

namespace dualpath::trainer {
namespace {

namespace fs = std::filesystem;

void create(const fs::path& directory) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error)
    throw Error("{}: cannot create: {}", fs::absolute(directory).string(), error.message());
}

/// Refuses files that are none of ours and that a restart would delete or a new run overwrite.
void refuse_files_of_others(const fs::path& directory, RunAccess access) {
  if (!fs::is_directory(directory)) return;
  std::vector<std::string> ours = run_files(directory);
  // On a machine that has only followed a run there is a log alone.
  std::erase_if(ours, [](const std::string& name) { return name.starts_with("process-"); });
  if (!ours.empty() && !holds_run(directory)) {
    throw UsageError("{}: holds {}, but is no run directory (it has no {})",
                     fs::absolute(directory).string(), fmt::join(ours, ", "), kResolvedRecipe);
  }
  if (access != RunAccess::kRestart) return;
  const std::vector<std::string> foreign = foreign_files(directory);
  if (!foreign.empty()) {
    throw UsageError("{}: --restart removes nothing but what a run makes, and there is more: {}",
                     fs::absolute(directory).string(), fmt::join(foreign, ", "));
  }
}

/// Refuses a recipe with comments: a run writes none, so it is somebody's own copy.
void refuse_notes(const fs::path& recipe) {
  if (!fs::exists(recipe)) return;
  std::istringstream yaml(read_file(recipe));
  for (std::string line; std::getline(yaml, line);) {
    if (line.starts_with('#') || line.find(" #") != line.npos)
      throw UsageError("{}: has comments, which no run writes; it would be replaced",
                       recipe.string());
  }
}

/// The run's directory, after checking that it may be used so.
fs::path checked(const Recipe& recipe, RunAccess access) {
  const fs::path& directory = recipe.train.output_dir;
  if (access == RunAccess::kFollow) {
    create(followed(directory));
    return directory;
  }
  if (access == RunAccess::kRead) {
    if (holds_run(directory)) return directory;
    throw Error("{}: no run there; run `dualpath calibrate` or `dualpath train` first",
                directory.string());
  }
  check_run_place(recipe);
  check_export_place(recipe);
  refuse_files_of_others(directory, access);
  create(followed(directory));
  return directory;
}

}  // namespace

RunDirectory::RunDirectory(const Recipe& recipe, RunAccess access)
    : path_(checked(recipe, access)),
      recipe_(to_yaml(recipe)),
      report_to_(access == RunAccess::kFollow ? ReportTo::kNone : recipe.train.report_to) {
  if (access == RunAccess::kFollow) return;
  lock_.emplace(path_ / kRunLock, access == RunAccess::kRead ? LockUse::kRead : LockUse::kWrite);
  if (can_write()) {
    settle();
    remove_stale_run_files(path_);
  }
  if (access == RunAccess::kRestart && holds_run(path_)) {
    refuse_notes(resolved_recipe());
    set_run_aside(path_);
  }
  if (fs::exists(resolved_recipe())) {
    refuse_other_recipe(recipe);
  } else if (access != RunAccess::kRead) {
    keep_recipe();
  }
}

RunDirectory::Settling::~Settling() {
  try {
    if (directory.can_write()) directory.settle();
  } catch (const std::exception&) {  // the next command settles it, or says why it cannot
  }
}

void RunDirectory::refuse_other_recipe(const Recipe& recipe) const {
  Recipe there = load_recipe(resolved_recipe());
  if (recipe.train.max_steps > there.train.max_steps)
    there.train.max_steps = recipe.train.max_steps;
  const std::string difference = first_difference(binding_lines(there), binding_lines(recipe));
  if (!difference.empty()) {
    throw UsageError("{}: made by another recipe: {}; --restart starts anew", path_.string(),
                     difference);
  }
}

fs::path RunDirectory::resolved_recipe() const { return path_ / kResolvedRecipe; }

fs::path RunDirectory::process_log(int rank) const {
  return path_ / fmt::format("process-{}.log", rank);
}

void RunDirectory::keep_recipe() const {
  const fs::path file = resolved_recipe();
  if (fs::exists(file) && to_yaml(load_recipe(file)) == recipe_) return;
  refuse_notes(file);
  write_file(file, recipe_);
}

void RunDirectory::settle() const { settle_previous_run(path_); }

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
