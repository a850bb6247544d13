#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "trainer/train/optimizer.h"

namespace dualpath::trainer {

/// A run's checkpoints, one directory each: "<directory>/checkpoint-<step>" with
/// trained.safetensors, optimizer.safetensors and state.json (step, checksums). Written aside,
/// fsynced, renamed.
class Checkpoints {
 public:
  /// Keeps the newest save_total_limit.
  Checkpoints(std::filesystem::path directory, std::int64_t save_total_limit)
      : directory_(std::move(directory)), save_total_limit_(save_total_limit) {}

  /// step: optimizer steps done. fingerprint: of the run, compared by load_last.
  void save(std::int64_t step, const Optimizer& optimizer, const std::string& fingerprint) const;
  /// Loads the newest whole one into the optimizer's tensors and returns its step; 0 if there is
  /// none. Damaged ones are passed over, naming the file on stderr; an Error if none is whole, or
  /// if it belongs to another run.
  std::int64_t load_last(Optimizer& optimizer, const std::string& fingerprint) const;

  /// Removes all but the newest save_total_limit. save() does it last; a run does it first, for one
  /// that was killed before it could.
  void prune() const;

  /// Steps of the whole checkpoints there are, ascending.
  std::vector<std::int64_t> steps() const;
  std::filesystem::path path(std::int64_t step) const;

 private:
  std::filesystem::path directory_;
  std::int64_t save_total_limit_;
};

}  // namespace dualpath::trainer
