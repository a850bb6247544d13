#include "trainer/train/objective.h"

#include <torch/torch.h>

#include <algorithm>
#include <map>

#include "modules/network/batch_state.h"
#include "modules/weights/to_device.h"
#include "trainer/train/losses.h"

namespace dualpath::trainer {
namespace {

using torch::Tensor;

/// Flat indices of the positions that have a target: [N].
Tensor counted_positions(const data::Batch& batch) {
  return (batch.targets.flatten() != data::kNoTarget).nonzero().flatten();
}

/// Starts backward at both ends: the head's gradient arrives at the rows, the distances carry their
/// own. Does nothing if nothing before them is trained. Either may be undefined.
void backward(const Tensor& rows, const Tensor& rows_gradient, const Tensor& hidden,
              const Pass& pass) {
  std::vector<Tensor> roots, gradients;
  if (rows.defined() && rows.requires_grad()) {
    roots.push_back(rows);
    gradients.push_back(rows_gradient);
  }
  if (hidden.defined() && hidden.requires_grad()) {
    roots.push_back(hidden);
    gradients.push_back(torch::ones_like(hidden));
  }
  if (roots.empty()) return;
  if (pass.before_backward) pass.before_backward();
  torch::autograd::backward(roots, gradients);
}

}  // namespace

Tensor counted_rows(const Tensor& hidden, const data::Batch& batch) {
  return hidden.flatten(0, 1).index_select(
      0, modules::to_device(counted_positions(batch), hidden.device()));
}

Tensor target_weights(const modules::State& state, const data::Batch& batch,
                      const ModalityWeights& weights) {
  if (weights == ModalityWeights{}) return {};
  const at::Device device = state.ids.device();
  const auto full = [&](double weight) {
    return torch::full({batch.ids.size(0)}, weight, torch::device(device));
  };
  Tensor samples = full(weights.text);
  if (state.kinds.defined()) {
    const auto shows = [&](modules::Modality modality) {
      return state.kinds.eq(static_cast<int>(modality)).any(/*dim=*/1);
    };
    const Tensor images = shows(modules::Modality::kImage),
                 clips = shows(modules::Modality::kAudio);
    samples = torch::where(images, full(weights.image), samples);
    samples = torch::where(
        clips,
        torch::where(images, full(std::max(weights.image, weights.audio)), full(weights.audio)),
        samples);
  }
  return samples.unsqueeze(1)
      .expand(batch.ids.sizes())
      .flatten()
      .index_select(0, modules::to_device(counted_positions(batch), device));
}

Tensor counted_targets(const data::Batch& batch) {
  return batch.targets.flatten().index_select(0, counted_positions(batch));
}

GlobalCount Objective::count(const data::Batch& batch) const {
  return {.targets = batch.counted(), .tokens = batch.mask.sum().item<std::int64_t>()};
}

UnreadLosses task_backward(const LossOptions& weights, const std::string& name, const Tensor& sum,
                           const Pass& pass) {
  const auto targets = static_cast<double>(std::max<std::int64_t>(1, pass.count.targets));
  if (sum.requires_grad()) {
    if (pass.before_backward) pass.before_backward();
    (sum * (weights.task() / targets)).backward();
  }
  return {.weights = weights,
          .targets = targets,
          .task = sum.detach().to(torch::kDouble),
          .task_name = name};
}

StepLosses Objective::accumulate(const data::Batch& batch, const GlobalCount& count) {
  modules::DeviceCounts counts;
  const UnreadLosses unread = run({.batch = batch, .count = count});
  return read_step({unread}, /*squared_norm=*/{}, counts).losses;
}

/// Sums each stage's positions over the processes in place; returns the sum of the tokens.
double PairedObjective::sum_over_processes(double tokens,
                                           std::map<std::string, Tensor>& positions) const {
  std::vector<Tensor> counts{torch::full({}, tokens, torch::kDouble)};
  for (const modules::Stage& stage : network_.stages) {
    if (!stage.correctable) continue;
    const auto own = positions.find(stage.name);
    counts.push_back(own == positions.end() ? torch::zeros({}, torch::kDouble) : own->second.cpu());
  }
  const Tensor sums = torch::stack(counts);
  processes_.sum("positions", {sums});
  const auto* sum = sums.const_data_ptr<double>();
  const double all_tokens = *sum;
  for (const modules::Stage& stage : network_.stages) {
    if (stage.correctable)
      positions[stage.name] = torch::full({}, *++sum, torch::kDouble).to(reference_.device());
  }
  return all_tokens;
}

std::vector<Tensor> PairedObjective::shares_of(const std::vector<quant::StageDistance>& distances,
                                               double tokens) const {
  std::map<std::string, Tensor> positions;
  for (const quant::StageDistance& distance : distances)
    positions[distance.stage] = distance.positions.to(torch::kDouble);
  if (is_collective()) tokens = sum_over_processes(tokens, positions);
  std::vector<Tensor> shares;
  for (const quant::StageDistance& distance : distances)
    shares.push_back((tokens / positions.at(distance.stage)).to(torch::kFloat));
  return shares;
}

double PairedObjective::tower_weight(const std::string& stage) const {
  const auto found = std::ranges::find(network_.stages, stage, &modules::Stage::name);
  switch (found->stream) {
    case modules::Modality::kImage:
      return options_.towers.image;
    case modules::Modality::kAudio:
      return options_.towers.audio;
    case modules::Modality::kText:
      break;
  }
  return 1.0;
}

UnreadLosses PairedObjective::run(const Pass& pass) {
  const modules::State start = modules::make_state(pass.batch, reference_.device());
  modules::State unused;
  return run_from({start, start}, pass, unused);
}

UnreadLosses PairedObjective::run_from(const quant::PairedStates& start, const Pass& pass,
                                       modules::State& reference_end) {
  const auto& [batch, count, number, before_backward] = pass;
  const at::Device device = reference_.device();
  const quant::PairedForward paired = quant::paired_forward(network_, start, reference_, corrected_,
                                                            options_.distance, checkpointing_);
  reference_end = paired.reference;
  const bool has_tower_weights = options_.towers != TowerWeights{};
  UnreadLosses losses{.weights = options_, .targets = static_cast<double>(count.targets)};
  const std::vector<Tensor> shares = shares_of(paired.distances, batch.mask.sum().item<double>());
  Tensor hidden = torch::zeros({}, device), weighted = hidden;
  std::vector<Tensor> distances;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    const quant::StageDistance& distance = paired.distances[i];
    losses.stages.push_back(distance.stage);
    distances.push_back(distance.sum.detach());
    const Tensor term = distance.sum * shares[i];
    hidden = hidden + term;
    if (has_tower_weights) weighted = weighted + term * tower_weight(distance.stage);
  }
  const auto stages = static_cast<double>(std::max<std::ptrdiff_t>(
      1, std::count_if(network_.stages.begin(), network_.stages.end(),
                       [](const modules::Stage& stage) { return stage.correctable; })));
  const double counted = stages * static_cast<double>(count.tokens);
  hidden = hidden / counted;
  weighted = options_.hidden * (has_tower_weights ? weighted / counted : hidden);

  if (!distances.empty()) losses.distances = torch::stack(distances);
  losses.hidden = hidden.detach();
  if (has_tower_weights) losses.weighted_hidden = weighted.detach();
  const Tensor distance = options_.hidden > 0.0 ? weighted : Tensor();
  if (!network_.head.exists()) {
    backward({}, {}, distance, pass);
    return losses;
  }
  const Tensor rows = counted_rows(paired.quantized.hidden, batch);
  const HeadInputs inputs{&reference_,
                          counted_rows(paired.reference.hidden, batch),
                          &corrected_,
                          rows,
                          modules::to_device(counted_targets(batch), device),
                          chunk_rows_,
                          target_weights(paired.quantized, batch, options_.modality)};
  const HeadGradient head = head_losses(network_.head, inputs, options_.kl / losses.targets,
                                        options_.ce / losses.targets);
  losses.kl = head.losses.kl;
  losses.ce = head.losses.ce;
  losses.weighted_head = head.losses.weighted;
  backward(rows, head.rows_gradient, distance, pass);
  return losses;
}

UnreadLosses CrossEntropyObjective::run(const Pass& pass) {
  const data::Batch& batch = pass.batch;
  const at::Device device = executor_.device();
  modules::State state = modules::make_state(batch, device);
  frozen_.run(batch, executor_, state);
  checkpointing_.run(stages_, executor_, state);
  const Tensor rows = counted_rows(state.hidden, batch);
  const auto targets = static_cast<double>(pass.count.targets);
  const HeadGradient head =
      head_losses(network_.head,
                  {.quantized = &executor_,
                   .quantized_rows = rows,
                   .targets = modules::to_device(counted_targets(batch), device),
                   .target_weights = target_weights(state, batch, modality_)},
                  0.0, 1.0 / targets);
  backward(rows, head.rows_gradient, {}, pass);
  return {.weights = {.kl = 0.0, .ce = 1.0, .hidden = 0.0},
          .targets = targets,
          .ce = head.losses.ce,
          .weighted_head = head.losses.weighted};
}

}  // namespace dualpath::trainer
