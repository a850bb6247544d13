#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "trainer/train/optimizer.h"

namespace dualpath::trainer {

/// Keeps a run's checkpoints, one directory each: "<directory>/checkpoint-<step>" with
/// trained.safetensors, optimizer.safetensors and state.json (step, checksums). Each is written
/// aside, fsynced, renamed.
class Checkpoints {
 public:
  /// Keeps the newest save_total_limit checkpoints.
  Checkpoints(std::filesystem::path directory, std::int64_t save_total_limit)
      : directory_(std::move(directory)), save_total_limit_(save_total_limit) {}

  /// Writes a checkpoint. step: optimizer steps done. fingerprint: the run's, compared by
  /// load_last.
  void save(std::int64_t step, const Optimizer& optimizer, const std::string& fingerprint) const;
  /// Loads the newest whole checkpoint into the optimizer's tensors and returns its step; 0 if
  /// there is none. Damaged checkpoints are passed over, naming the file on stderr. It is an Error
  /// if none is whole, or if the checkpoint belongs to another run.
  std::int64_t load_last(Optimizer& optimizer, const std::string& fingerprint) const;

  /// Removes all but the newest save_total_limit. save() does so last. A run does so first, for an
  /// earlier one that was killed before it could.
  void prune() const;

  /// The steps of the whole checkpoints, ascending.
  std::vector<std::int64_t> steps() const;
  std::filesystem::path path(std::int64_t step) const;

 private:
  std::filesystem::path directory_;
  std::int64_t save_total_limit_;
};

}  // namespace dualpath::trainer
