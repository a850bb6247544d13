#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "trainer/processes/processes.h"
#include "trainer/train/optimizer.h"

namespace dualpath::trainer {

/// What loading does where all checkpoints are damaged.
enum class NoneWhole { kRefuse, kBeginAnew };

/// Keeps a run's checkpoints, one directory each: "<directory>/checkpoint-<step>" with
/// trained.safetensors, optimizer.safetensors and state.json (step, checksums). Each is written
/// aside, fsynced, renamed. A checkpoint holds the state of all processes, which are equal: the
/// first one reads and writes the files, so any number of processes goes on from it.
class Checkpoints {
 public:
  /// Keeps the newest save_total_limit checkpoints. `processes` must outlive this.
  Checkpoints(std::filesystem::path directory, std::int64_t save_total_limit,
              Processes& processes = Processes::alone())
      : directory_(std::move(directory)),
        save_total_limit_(save_total_limit),
        processes_(processes) {}

  /// Writes a checkpoint. step: optimizer steps done. fingerprint: the run's, compared by
  /// load_last.
  void save(std::int64_t step, const Optimizer& optimizer, const std::string& fingerprint) const;
  /// Loads the newest whole checkpoint into the optimizer's tensors and returns its step; 0 if
  /// there is none. Damaged checkpoints are passed over, naming the file on stderr. If none is
  /// whole, that is an Error, or with kBeginAnew 0. A checkpoint of another run is an Error.
  std::int64_t load_last(Optimizer& optimizer, const std::string& fingerprint,
                         NoneWhole none_whole = NoneWhole::kRefuse) const;
  /// The step of the newest whole checkpoint; 0 if there is none. Reads them; the same in all
  /// processes.
  std::int64_t last_whole() const;

  /// Removes all but the newest save_total_limit. save() does so last. A run does so first, for an
  /// earlier one that was killed before it could.
  void prune() const;

  /// The steps of the whole checkpoints, ascending.
  std::vector<std::int64_t> steps() const;
  std::filesystem::path path(std::int64_t step) const;

 private:
  /// A checkpoint's content; empty at step 0.
  struct Content {
    std::int64_t step = 0;
    std::string fingerprint = {};
    modules::NamedTensors trained = {}, moments = {};
  };
  void write(const Content& content) const;
  Content read_last(const std::string& fingerprint, NoneWhole none_whole) const;
  std::optional<Content> read_whole(std::int64_t step, std::string& damage) const;

  std::filesystem::path directory_;
  std::int64_t save_total_limit_;
  Processes& processes_;
};

}  // namespace dualpath::trainer
