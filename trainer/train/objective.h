#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "data/samples/batch.h"
#include "modules/execute/gradient_checkpointing.h"
#include "modules/network/network.h"
#include "quant/compare/paired_forward.h"
#include "trainer/processes/processes.h"
#include "trainer/recipe/options.h"
#include "trainer/train/frozen_towers.h"
#include "trainer/train/head_chunks.h"
#include "trainer/train/step_losses.h"

namespace dualpath::trainer {

/// The counts that losses are divided by. They span all batches of one optimizer step, so
/// accumulation changes nothing.
struct GlobalCount {
  std::int64_t targets = 0;  ///< positions with a next token; of CTC the bytes of texts
  std::int64_t tokens = 0;   ///< real positions
};

/// A batch's way forward and back in an optimizer step.
struct Pass {
  const data::Batch& batch;
  const GlobalCount& count;  ///< of the whole step
  std::int64_t number = 0;   ///< among a process's passes of the run, see StepBatches
  /// Called, if there is one, when nothing but one backward pass of the batch is left.
  std::function<void()> before_backward = {};
};

/// The function that an optimizer step minimizes.
struct Objective {
  virtual ~Objective() = default;
  /// Counts the share of one batch.
  virtual GlobalCount count(const data::Batch& batch) const;
  /// Runs one batch forward and backward. Gradients are accumulated; the batch's share of the
  /// losses is returned, unread.
  virtual UnreadLosses run(const Pass& pass) = 0;
  /// Whether run() talks to the other processes, so that an error leaves them waiting in it.
  virtual bool is_collective() const { return false; }
  /// run(), and reads the losses at once.
  StepLosses accumulate(const data::Batch& batch, const GlobalCount& count);
};

/// The repair: kl · KL(reference || quantized) + ce · CE + hidden · distance, the last alone where
/// the network has no head. Executors must outlive it. chunk_rows: the head's rows at a time, from
/// chunk_rows(). In a network with towers, processes that share a batch count its positions
/// together, stage by stage.
class PairedObjective : public Objective {
 public:
  PairedObjective(const modules::Network& network, modules::Executor& reference,
                  modules::Executor& corrected, const LossOptions& options,
                  modules::GradientCheckpointing checkpointing = {},
                  std::int64_t chunk_rows = kChunkRows, Processes& processes = Processes::alone())
      : network_(network),
        reference_(reference),
        corrected_(corrected),
        options_(options),
        checkpointing_(std::move(checkpointing)),
        chunk_rows_(chunk_rows),
        processes_(processes) {}
  UnreadLosses run(const Pass& pass) override;
  /// run(), of states that stages before the network's have made. reference_end: gets the
  /// reference's state behind the network.
  UnreadLosses run_from(const quant::PairedStates& start, const Pass& pass,
                        modules::State& reference_end);
  bool is_collective() const override {
    return processes_.size() > 1 && !network_.tower_samples.empty();
  }

 private:
  /// For each distance, the batch's tokens over the stage's positions: float32 scalars.
  std::vector<torch::Tensor> shares_of(const std::vector<quant::StageDistance>& distances,
                                       double tokens) const;
  /// The factor of a stage's distance.
  double tower_weight(const std::string& stage) const;
  double sum_over_processes(double tokens, std::map<std::string, torch::Tensor>& positions) const;

  const modules::Network& network_;
  modules::Executor& reference_;
  modules::Executor& corrected_;
  LossOptions options_;
  modules::GradientCheckpointing checkpointing_;
  std::int64_t chunk_rows_;
  Processes& processes_;
};

/// The cross-entropy of one model. Of the corrected float model it is the control, which shows the
/// gain of adapting to the text alone; of a float model's own weights, training without quantizing.
class CrossEntropyObjective : public Objective {
 public:
  /// frozen: the towers that need not run again; their store must outlive the objective.
  CrossEntropyObjective(const modules::Network& network, modules::Executor& executor,
                        modules::GradientCheckpointing checkpointing = {},
                        const ModalityWeights& modality = {}, FrozenTowers frozen = {})
      : network_(network),
        executor_(executor),
        checkpointing_(std::move(checkpointing)),
        modality_(modality),
        frozen_(std::move(frozen)),
        stages_(frozen_.rest(network)) {}
  UnreadLosses run(const Pass& pass) override;

 private:
  const modules::Network& network_;
  modules::Executor& executor_;
  modules::GradientCheckpointing checkpointing_;
  ModalityWeights modality_;
  FrozenTowers frozen_;
  modules::Network stages_;  ///< those that run for every batch
};

/// The weight of each counted target by what its sample shows: [N] float32 on the state's device.
/// Undefined if all weigh 1. state: behind the decoder's first stage.
torch::Tensor target_weights(const modules::State& state, const data::Batch& batch,
                             const ModalityWeights& weights);

/// Runs backward from a loss that trains towers without the decoder, and gives its share, unread.
/// weights: the term's alone. name: its key in `loss`. sum: float32 scalar, over the step's
/// targets.
UnreadLosses task_backward(const LossOptions& weights, const std::string& name,
                           const torch::Tensor& sum, const Pass& pass);

/// Picks the rows of hidden [B, T, H] at positions that have a target: [N, H].
torch::Tensor counted_rows(const torch::Tensor& hidden, const data::Batch& batch);
/// Picks the targets of these positions: [N] int64 on the CPU.
torch::Tensor counted_targets(const data::Batch& batch);

}  // namespace dualpath::trainer
