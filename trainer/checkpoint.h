#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "trainer/optimizer.h"

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
  /// Loads the newest into the optimizer's tensors and returns its step; 0 if there is none. One
  /// that is damaged is an Error naming the file.
  std::int64_t load_last(Optimizer& optimizer, const std::string& fingerprint) const;

  /// Steps of the whole checkpoints there are, ascending.
  std::vector<std::int64_t> steps() const;
  std::filesystem::path path(std::int64_t step) const;

 private:
  void prune() const;

  std::filesystem::path directory_;
  std::int64_t save_total_limit_;
};

}  // namespace dualpath::trainer
