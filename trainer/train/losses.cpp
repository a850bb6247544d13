#include "trainer/train/losses.h"

#include <torch/torch.h>

#include "trainer/train/head_loss.h"

namespace dualpath::trainer {
namespace {

using torch::Tensor;

/// Runs both heads on rows begin .. begin + size, adds to `losses` and returns the rows' gradient.
Tensor run_chunk(const modules::Head& head, const HeadInputs& inputs, LossWeights weights,
                 std::int64_t begin, std::int64_t size, HeadLosses& losses) {
  const auto chunk = [&](const Tensor& tensor) { return tensor.narrow(0, begin, size).detach(); };
  const Tensor rows = chunk(inputs.quantized_rows).requires_grad_();
  const Tensor logits = head.logits(*inputs.quantized, rows);
  Tensor reference;
  if (inputs.reference) {
    const torch::NoGradGuard no_grad;
    reference = head.logits(*inputs.reference, chunk(inputs.reference_rows));
  }
  const Tensor gradient = torch::empty_like(logits);
  const RowLosses row =
      head_loss(reference, logits.detach(), chunk(inputs.targets), weights, gradient);
  losses.kl += row.kl.sum(torch::kDouble);
  losses.ce += row.nll.sum(torch::kDouble);
  if (inputs.target_weights.defined()) {
    const Tensor own = chunk(inputs.target_weights);
    gradient.mul_(own.unsqueeze(1));
    losses.weighted += ((row.kl * weights.kl + row.nll * weights.ce) * own).sum(torch::kDouble);
  }
  logits.backward(gradient);
  return rows.grad();
}

}  // namespace

HeadGradient head_losses(const modules::Head& head, const HeadInputs& inputs, double kl,
                         double ce) {
  const std::int64_t rows = inputs.quantized_rows.size(0);
  const LossWeights weights{static_cast<float>(kl), static_cast<float>(ce)};
  const auto zero = [&] {
    return torch::zeros({}, inputs.quantized_rows.options().dtype(torch::kDouble));
  };
  const Tensor weighted = inputs.target_weights.defined() ? zero() : Tensor();
  HeadGradient result{{zero(), zero(), weighted}, torch::empty_like(inputs.quantized_rows)};
  for_each_chunk(rows, inputs.chunk_rows, [&](std::int64_t begin, std::int64_t size) {
    const Tensor gradient = run_chunk(head, inputs, weights, begin, size, result.losses);
    result.rows_gradient.narrow(0, begin, size).copy_(gradient);
  });
  return result;
}

}  // namespace dualpath::trainer
