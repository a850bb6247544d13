#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "trainer/train/alignment_loss.h"
#include "trainer/train/objective.h"

namespace dualpath::trainer {

/// The placeholder of a tower that has an alignment layer.
struct AlignedTower {
  modules::Modality modality = modules::Modality::kText;
  std::int64_t token = 0;
};

/// Alignment layers learn to speak the decoder's tokens before the decoder listens: a clip's states
/// say the answer's tokens in order (CTC, the placeholder is the blank), the mean of a picture's
/// states says them at once. The decoder does not run, so a step costs a hundredth. Texts alone,
/// and clips too short for their answer, add nothing. A sample has at most one file.
class AlignmentObjective : public Objective {
 public:
  /// network: encoders and alignment layers alone. frozen: those that need not run again. The
  /// executor and the frozen towers' store must outlive the objective.
  AlignmentObjective(const modules::Network& network, std::vector<AlignedTower> towers,
                     AnswerTokens tokens, modules::Executor& executor,
                     modules::GradientCheckpointing checkpointing, FrozenTowers frozen,
                     double weight)
      : towers_(std::move(towers)),
        tokens_(std::move(tokens)),
        executor_(executor),
        checkpointing_(std::move(checkpointing)),
        frozen_(std::move(frozen)),
        stages_(frozen_.rest(network)),
        weight_(weight) {}

  /// targets: the tokens of answers that are trained on.
  GlobalCount count(const data::Batch& batch) const override;
  UnreadLosses run(const Pass& pass) override;

 private:
  /// A file whose answer is trained on: its tower, its place in the tower's batch, and the answer.
  struct Answered {
    AlignedTower tower;
    std::int64_t file = 0;
    std::vector<std::int64_t> classes;
  };
  std::vector<Answered> answered(const data::Batch& batch) const;
  torch::Tensor loss_of(const Answered& one, const modules::State& state) const;

  std::vector<AlignedTower> towers_;
  AnswerTokens tokens_;
  modules::Executor& executor_;
  modules::GradientCheckpointing checkpointing_;
  FrozenTowers frozen_;
  modules::Network stages_;
  double weight_;
};

/// Throws an Error if a sample has more than one file.
void require_single_files(const data::Samples& samples);

}  // namespace dualpath::trainer
