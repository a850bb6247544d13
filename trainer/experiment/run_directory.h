#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "data/files/file_lock.h"
#include "trainer/experiment/run_files.h"
#include "trainer/recipe/options.h"

namespace dualpath::trainer {

/// The use of a run's directory. kMake: a run that calibrates or trains. kRestart: such a run in
/// place of the one that is there. kRead: a finished or stopped run, whose recipe stays unchanged.
/// kFollow: a run that another process holds; nothing is read or written but this process's log.
enum class RunAccess { kMake, kRestart, kRead, kFollow };

/// A run's directory (train.output_dir), held by a lock while this lives:
///   recipe.resolved.yaml, calibration.safetensors, log.jsonl, checkpoint-<step>/, selection.json,
///   control/ (log.jsonl, checkpoint-<step>/), report.json, report.html,
///   runs/ (event files of TensorBoard), process-<rank>.log (what the processes after the first
///   say)
/// A directory that another recipe made is refused with the difference; only a larger max_steps
/// goes on. Keys that the trained result does not depend on may change: evaluate, export,
/// data.out_of_domain, compute, num_threads, and in train gradient_checkpointing, report_to and the
/// intervals. Model and training text are bound by their content, which run_calibration() and
/// load_trained_paths() compare, so the paths may change, too.
///
/// Nothing is overwritten that no run made. Refused is a place that is an input or holds one (see
/// output_places.h). Refused are also a directory that holds files of a run's names but no run, and
/// a restart where there is more than a run makes. A run that a restart replaces comes back if
/// nothing takes its place (see previous_run.h).
class RunDirectory {
 public:
  explicit RunDirectory(const Recipe& recipe, RunAccess access = RunAccess::kMake);
  RunDirectory(const RunDirectory&) = delete;
  RunDirectory& operator=(const RunDirectory&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path calibration() const { return path_ / kCalibrationFile; }
  std::filesystem::path selection() const { return path_ / "selection.json"; }
  std::filesystem::path control() const { return path_ / "control"; }
  /// The folder of event files whose curves TensorBoard shows under this name; nothing if the
  /// recipe wants none.
  std::optional<std::filesystem::path> events(const std::string& name) const;
  std::filesystem::path report() const { return path_ / "report.json"; }

  std::filesystem::path html_report() const { return path_ / "report.html"; }
  std::filesystem::path resolved_recipe() const;
  std::filesystem::path process_log(int rank) const;

  /// Whether files can be written there; a run that is only read may lie on a read-only disk.
  bool can_write() const { return lock_ && lock_->can_write(); }
  /// Writes recipe.resolved.yaml, unless it is equal already. A new run does so at once; a run that
  /// goes on does so when its inputs are known to be the same.
  void keep_recipe() const;
  /// Settles a run that a restart has set aside.
  void settle() const;

  /// The whole of report.json; {} if there is none.
  nlohmann::json read_report() const;
  /// Puts one section into report.json; the others stay.
  void update_report(const std::string& section, const nlohmann::json& content) const;

 private:
  void refuse_other_recipe(const Recipe& recipe) const;

  std::filesystem::path path_;
  std::string recipe_;  // the recipe in YAML
  ReportTo report_to_;
  std::optional<FileLock> lock_;  // none with kFollow
  /// Settles at the end of any kind: before the lock goes, and if the constructor fails.
  struct Settling {
    const RunDirectory& directory;
    ~Settling();
  } settling_{*this};
};

}  // namespace dualpath::trainer
