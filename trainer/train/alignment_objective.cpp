#include "trainer/train/alignment_objective.h"

#include <torch/torch.h>

#include <algorithm>
#include <map>

#include "data/base/error.h"
#include "modules/network/batch_state.h"
#include "trainer/train/ctc.h"

namespace dualpath::trainer {
namespace {

using modules::Modality;
using torch::Tensor;

std::span<const std::int64_t> row_of(const Tensor& table, std::int64_t row) {
  const Tensor values = table.select(0, row);
  return {values.const_data_ptr<std::int64_t>(), static_cast<std::size_t>(values.size(0))};
}

}  // namespace

std::vector<AlignmentObjective::Answered> AlignmentObjective::answered(
    const data::Batch& batch) const {
  std::vector<Answered> all;
  std::map<Modality, std::int64_t> files;
  for (std::int64_t row = 0; row < batch.ids.size(0); ++row) {
    const std::vector<std::int64_t> classes = tokens_.classes_of(row_of(batch.targets, row));
    for (const AlignedTower& tower : towers_) {
      const auto states = std::ranges::count(row_of(batch.ids, row), tower.token);
      if (states == 0) continue;
      const std::int64_t file = files[tower.modality]++;
      const bool fits = tower.modality != Modality::kAudio || fewest_frames(classes) <= states;
      if (fits && !classes.empty()) all.push_back({tower, file, classes});
    }
  }
  return all;
}

GlobalCount AlignmentObjective::count(const data::Batch& batch) const {
  GlobalCount count = Objective::count(batch);
  count.targets = 0;
  for (const Answered& one : answered(batch)) count.targets += std::ssize(one.classes);
  return count;
}

Tensor AlignmentObjective::loss_of(const Answered& one, const modules::State& state) const {
  const modules::Stream& stream = state.stream(one.tower.modality);
  Tensor states = stream.hidden[one.file];
  if (stream.mask.defined())
    states = states.narrow(0, 0, stream.mask[one.file].sum().item<std::int64_t>());
  if (one.tower.modality == Modality::kImage) return shown_loss(tokens_, states, one.classes);
  return spoken_loss(tokens_, states, one.classes, tokens_.class_of(one.tower.token));
}

void require_single_files(const data::Samples& samples) {
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const data::MediaFiles* files = samples.sample(i).files;
    const std::size_t count = files ? files->images.size() + files->audio.size() : 0;
    if (count > 1)
      throw Error(
          "loss.alignment: expected at most one picture or clip in a sample, got {} in sample {}",
          count, i + 1);
  }
}

UnreadLosses AlignmentObjective::run(const Pass& pass) {
  modules::State state = modules::make_state(pass.batch, executor_.device());
  frozen_.run(pass.batch, executor_, state);
  checkpointing_.run(stages_, executor_, state);
  Tensor sum = torch::zeros({}, executor_.device());
  for (const Answered& one : answered(pass.batch)) sum = sum + loss_of(one, state);
  return task_backward({.kl = 0.0, .ce = 0.0, .hidden = 0.0, .alignment = weight_}, "alignment",
                       sum, pass);
}

}  // namespace dualpath::trainer
