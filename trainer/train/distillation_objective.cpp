#include "trainer/train/distillation_objective.h"

#include <torch/torch.h>

#include "data/base/error.h"
#include "modules/network/batch_state.h"
#include "quant/compare/distance.h"

namespace dualpath::trainer {
namespace {

using modules::Modality;
using torch::Tensor;

/// The real frames of one file, without padding: [T, H].
Tensor frames_of(const modules::Stream& stream, std::int64_t file) {
  const Tensor frames = stream.hidden[file];
  if (!stream.mask.defined()) return frames;
  return frames.narrow(0, 0, stream.mask[file].sum().item<std::int64_t>());
}

/// frames [S, H] at `count` even steps, float32.
Tensor interpolated(const Tensor& frames, std::int64_t count) {
  const Tensor channels = frames.to(torch::kFloat).t().unsqueeze(0);
  return torch::upsample_linear1d(channels, {count}, /*align_corners=*/false)[0].t();
}

}  // namespace

data::Batch taught_files(const data::Batch& batch) {
  data::Batch files;
  files.images = batch.taught.images;
  files.audio = batch.taught.audio;
  return files;
}

void TeacherTowers::run(const data::Batch& batch, modules::State& state) const {
  const torch::NoGradGuard no_grad;
  encoders.run(taught_files(batch), *executor, state);
  modules::run(alignments, *executor, state);
}

Tensor taught_distance(Modality modality, const Tensor& frames, const Tensor& wanted) {
  const auto [count, width] = std::pair(frames.size(0), frames.size(1));
  if (wanted.size(1) != width)
    throw Error("loss.distillation: the model's {} frames have {} channels, the teacher's {}",
                name_of(modality), width, wanted.size(1));
  Tensor paired = wanted;
  if (wanted.size(0) != count) {
    if (modality == Modality::kImage)
      throw Error("loss.distillation: the model makes {} frames of a picture, the teacher {}",
                  count, wanted.size(0));
    paired = interpolated(wanted, count);
  }
  return quant::hidden_distance(quant::DistanceKind::kRelative,
                                paired.to(frames.scalar_type()).unsqueeze(0), frames.unsqueeze(0),
                                torch::ones({1, count}, frames.options().dtype(torch::kBool)));
}

GlobalCount DistillationObjective::count(const data::Batch& batch) const {
  GlobalCount count = Objective::count(batch);
  count.targets = 0;
  for (const auto& [modality, token] : tokens_)
    count.targets += batch.ids.eq(token).sum().item<std::int64_t>();
  return count;
}

UnreadLosses DistillationObjective::run(const Pass& pass) {
  modules::State state = modules::make_state(pass.batch, executor_.device()), taught;
  frozen_.run(pass.batch, executor_, state);
  checkpointing_.run(stages_, executor_, state);
  teacher_.run(pass.batch, taught);
  Tensor sum = torch::zeros({}, executor_.device());
  for (const auto& [modality, wanted] : taught.towers) {
    if (!tokens_.contains(modality)) continue;
    const modules::Stream& own = state.stream(modality);
    for (std::int64_t file = 0; file < wanted.hidden.size(0); ++file)
      sum = sum + taught_distance(modality, frames_of(own, file), frames_of(wanted, file));
  }
  return task_backward({.kl = 0.0, .ce = 0.0, .hidden = 0.0, .distillation = weight_},
                       "distillation", sum, pass);
}

}  // namespace dualpath::trainer
