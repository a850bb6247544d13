#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "data/samples/samples.h"
#include "modules/correction/corrections.h"
#include "trainer/train/logged_losses.h"
#include "trainer/train/objective.h"
#include "trainer/train/optimizer.h"

namespace dualpath::trainer {

struct TrainJob {
  std::string label;                ///< of the progress line: "train", "control"
  std::filesystem::path directory;  ///< for checkpoints and log.jsonl
  std::string fingerprint;          ///< of the run; a checkpoint with another is refused
  std::optional<std::filesystem::path> events = {};   ///< for TensorBoard's event files, if wanted
  const modules::Corrections* corrections = nullptr;  ///< whose norms they show
};

struct LoopResult {
  std::int64_t steps = 0;    ///< done in all
  std::int64_t resumed = 0;  ///< of them by an earlier process
  double seconds = 0.0;      ///< of this process
  LoggedLosses last = {};    ///< the log's; an earlier process's where this one had nothing to do
};

/// Optimizer steps from the last good checkpoint to max_steps, with checkpoints on the way and at
/// the end. SIGINT and SIGTERM finish the step, save and throw Interrupted. A loss that is not
/// finite is an Error naming step, stage and the last good checkpoint. samples are visited in an
/// order that is a function of seed and step.
LoopResult train_loop(const TrainJob& job, const TrainOptions& options, std::uint64_t seed,
                      const data::Samples& samples, Objective& objective, Optimizer& optimizer);

}  // namespace dualpath::trainer
