#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "data/base/file_lock.h"
#include "trainer/options.h"

namespace dualpath::trainer {

/// kMake: of a run that calibrates or trains; kRestart: the same, but what another run left there
/// is removed first; kRead: of a finished or stopped one, whose recipe stays as it is.
enum class RunAccess { kMake, kRestart, kRead };

/// A run's directory (train.output_dir), held by a lock while this lives:
///   recipe.resolved.yaml, calibration.safetensors, log.jsonl, checkpoint-<step>/, selection.json,
///   control/ (log.jsonl, checkpoint-<step>/), report.json, report.html,
///   runs/ (event files of TensorBoard)
/// A directory that another recipe made is refused with the difference; only a larger max_steps
/// goes on, and keys that training does not depend on (evaluate, export, compute, num_threads,
/// gradient_checkpointing, report_to) may change.
class RunDirectory {
 public:
  explicit RunDirectory(const Recipe& recipe, RunAccess access = RunAccess::kMake);

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path calibration() const { return path_ / "calibration.safetensors"; }
  std::filesystem::path selection() const { return path_ / "selection.json"; }
  std::filesystem::path control() const { return path_ / "control"; }
  /// For the event files of curves that TensorBoard shows under this name; nothing where the recipe
  /// wants none.
  std::optional<std::filesystem::path> events(const std::string& name) const;
  std::filesystem::path report() const { return path_ / "report.json"; }

  std::filesystem::path html_report() const { return path_ / "report.html"; }
  std::filesystem::path resolved_recipe() const;

  /// The whole of report.json; {} where there is none.
  nlohmann::json read_report() const;
  /// Puts one section into report.json; the others stay.
  void update_report(const std::string& section, const nlohmann::json& content) const;

 private:
  void refuse_other_recipe(const Recipe& recipe) const;

  std::filesystem::path path_;
  ReportTo report_to_;
  FileLock lock_;
};

}  // namespace dualpath::trainer
