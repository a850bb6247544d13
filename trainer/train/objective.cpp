#include "trainer/train/objective.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>

#include "modules/network/batch_state.h"
#include "quant/compare/paired_forward.h"
#include "trainer/train/losses.h"

namespace dualpath::trainer {
namespace {

using torch::Tensor;

/// Flat indices of the positions that have a target: [N].
Tensor counted_positions(const data::Batch& batch) {
  return (batch.targets.flatten() != data::kNoTarget).nonzero().flatten();
}

/// Starts backward at both ends: the head's gradient arrives at the rows, the distances carry their
/// own. Does nothing if nothing before them is trained.
void backward(const Tensor& rows, const Tensor& rows_gradient, const Tensor& hidden) {
  if (!rows.requires_grad()) return;
  std::vector<Tensor> roots{rows}, gradients{rows_gradient};
  if (hidden.defined() && hidden.requires_grad()) {
    roots.push_back(hidden);
    gradients.push_back(torch::ones_like(hidden));
  }
  torch::autograd::backward(roots, gradients);
}

void name_if_not_finite(StepLosses& losses, const std::string& name, double value) {
  if (losses.not_finite.empty() && !std::isfinite(value)) losses.not_finite = name;
}

}  // namespace

Tensor counted_rows(const Tensor& hidden, const data::Batch& batch) {
  return hidden.flatten(0, 1).index_select(0, counted_positions(batch));
}

Tensor counted_targets(const data::Batch& batch) {
  return batch.targets.flatten().index_select(0, counted_positions(batch));
}

StepLosses& StepLosses::operator+=(const StepLosses& other) {
  total += other.total;
  kl += other.kl;
  ce += other.ce;
  hidden += other.hidden;
  if (not_finite.empty()) not_finite = other.not_finite;
  return *this;
}

StepLosses PairedObjective::accumulate(const data::Batch& batch, const GlobalCount& count) {
  const quant::PairedForward paired =
      quant::paired_forward(network_, modules::make_state(batch, reference_.device()), reference_,
                            corrected_, options_.distance, checkpointing_);
  StepLosses losses;
  Tensor hidden = torch::zeros({});
  const auto tokens = batch.mask.sum().item<double>();
  for (const quant::StageDistance& distance : paired.distances) {
    name_if_not_finite(losses, distance.stage, distance.sum.item<double>());
    hidden = hidden + distance.sum * (tokens / distance.positions);
  }
  const auto stages = static_cast<double>(std::max<std::ptrdiff_t>(
      1, std::count_if(network_.stages.begin(), network_.stages.end(),
                       [](const modules::Stage& stage) { return stage.correctable; })));
  hidden = hidden / (stages * static_cast<double>(count.tokens));

  const Tensor rows = counted_rows(paired.quantized.hidden, batch);
  const HeadInputs inputs{&reference_,
                          counted_rows(paired.reference.hidden, batch),
                          &corrected_,
                          rows,
                          counted_targets(batch),
                          chunk_rows_};
  const double targets = static_cast<double>(count.targets);
  const HeadGradient head =
      head_losses(network_.head, inputs, options_.kl / targets, options_.ce / targets);
  losses.hidden = hidden.item<double>();
  losses.kl = head.losses.kl / targets;
  losses.ce = head.losses.ce / targets;
  losses.total =
      options_.kl * losses.kl + options_.ce * losses.ce + options_.hidden * losses.hidden;
  name_if_not_finite(losses, "kl", losses.kl);
  name_if_not_finite(losses, "ce", losses.ce);
  backward(rows, head.rows_gradient, options_.hidden > 0.0 ? options_.hidden * hidden : Tensor());
  return losses;
}

StepLosses ControlObjective::accumulate(const data::Batch& batch, const GlobalCount& count) {
  modules::State state = modules::make_state(batch, corrected_.device());
  checkpointing_.run(network_, corrected_, state);
  const Tensor rows = counted_rows(state.hidden, batch);
  const double targets = static_cast<double>(count.targets);
  const HeadGradient head = head_losses(
      network_.head, {nullptr, {}, &corrected_, rows, counted_targets(batch)}, 0.0, 1.0 / targets);
  StepLosses losses;
  losses.ce = losses.total = head.losses.ce / targets;
  name_if_not_finite(losses, "ce", losses.ce);
  backward(rows, head.rows_gradient, {});
  return losses;
}

}  // namespace dualpath::trainer
