#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "data/samples/samples.h"
#include "modules/correction/corrections.h"
#include "trainer/processes/processes.h"
#include "trainer/train/checkpoint.h"
#include "trainer/train/logged_losses.h"
#include "trainer/train/objective.h"
#include "trainer/train/optimizer.h"

namespace dualpath::trainer {

struct TrainJob {
  std::string label;                ///< the progress line's: "train", "control"
  std::filesystem::path directory;  ///< holds checkpoints and log.jsonl
  std::string fingerprint;          ///< the run's; a checkpoint with another is refused
  /// Folder of TensorBoard's event files, if wanted.
  std::optional<std::filesystem::path> events = {};
  const modules::Corrections* corrections = nullptr;  ///< corrections whose norms the events show
  Processes& processes = Processes::alone();          ///< the processes that share each step
  NoneWhole none_whole = NoneWhole::kRefuse;          ///< where all its checkpoints are damaged
};

struct LoopResult {
  std::int64_t steps = 0;    ///< all steps done
  std::int64_t resumed = 0;  ///< steps done by an earlier process
  double seconds = 0.0;      ///< time of this process
  /// Newest logged losses; an earlier process's if this one had nothing to do.
  LoggedLosses last = {};
};

/// Gives a process the batch of a pass; may be called from several threads at once.
using BatchSource = std::function<data::Batch(std::int64_t pass)>;

/// Runs optimizer steps from the last good checkpoint to max_steps, with checkpoints on the way and
/// at the end. SIGINT and SIGTERM finish the step, save and throw Interrupted. A loss that is not
/// finite is an Error naming step, stage and the last good checkpoint. With N processes each takes
/// batches of its own: N at a batch of B see what one sees at N * B, and their losses and gradients
/// are summed. An error or a signal of one process stops all at the same step.
LoopResult train_loop(const TrainJob& job, const TrainOptions& options, const BatchSource& batches,
                      Objective& objective, Optimizer& optimizer);
/// Runs on the samples, in an order that is a function of seed and step.
LoopResult train_loop(const TrainJob& job, const TrainOptions& options, std::uint64_t seed,
                      const data::Samples& samples, Objective& objective, Optimizer& optimizer);

}  // namespace dualpath::trainer
