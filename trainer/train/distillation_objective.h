#pragma once

#include <cstdint>
#include <map>
#include <utility>

#include "trainer/train/objective.h"

namespace dualpath::trainer {

/// A batch's files as its teacher takes them, in a batch without texts.
data::Batch taught_files(const data::Batch& batch);

/// The towers of a model that others learn from. Encoders run once a file, so that what they made
/// for the training of the teacher's own alignment layers serves here.
struct TeacherTowers {
  /// Puts what the teacher's decoder would get of a batch's files into the state, without a graph.
  void run(const data::Batch& batch, modules::State& state) const;

  modules::Executor* executor = nullptr;
  FrozenTowers encoders = {};
  modules::Network alignments = {};
};

/// Towers learn what a teacher's towers give to its decoder: the mean over frames of |student -
/// teacher|^2 / |teacher|^2 (quant::DistanceKind::kRelative). The decoders do not run. Clips may
/// have other numbers of frames a second: the teacher's are interpolated linearly. Texts alone add
/// nothing. Batches are of data::TaughtSamples.
class DistillationObjective : public Objective {
 public:
  /// network: encoders and alignment layers alone. tokens: the placeholders of the towers that
  /// learn; others count nothing. frozen: those that need not run again. Executors and stores must
  /// outlive the objective.
  DistillationObjective(const modules::Network& network,
                        std::map<modules::Modality, std::int64_t> tokens,
                        modules::Executor& executor, modules::GradientCheckpointing checkpointing,
                        FrozenTowers frozen, TeacherTowers teacher, double weight)
      : tokens_(std::move(tokens)),
        executor_(executor),
        checkpointing_(std::move(checkpointing)),
        frozen_(std::move(frozen)),
        stages_(frozen_.rest(network)),
        teacher_(std::move(teacher)),
        weight_(weight) {}

  /// targets: the frames that the decoder would get.
  GlobalCount count(const data::Batch& batch) const override;
  UnreadLosses run(const Pass& pass) override;

 private:
  std::map<modules::Modality, std::int64_t> tokens_;
  modules::Executor& executor_;
  modules::GradientCheckpointing checkpointing_;
  FrozenTowers frozen_;
  modules::Network stages_;
  TeacherTowers teacher_;
  double weight_;
};

/// The sum over a file's frames of their relative distances, a float32 scalar. frames: [T, H];
/// wanted: [S, H] without gradient. Pictures whose numbers differ, and another H, are an Error.
torch::Tensor taught_distance(modules::Modality modality, const torch::Tensor& frames,
                              const torch::Tensor& wanted);

}  // namespace dualpath::trainer
