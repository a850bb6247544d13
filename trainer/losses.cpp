#include "trainer/losses.h"

#include <torch/torch.h>

#include "trainer/head_chunks.h"

namespace dualpath::trainer {
namespace {

using torch::Tensor;

/// One chunk. Both losses have analytic gradients in the logits: softmax(q) - p for KL, softmax(q)
/// - onehot for CE.
class Chunk {
 public:
  Chunk(const modules::Head& head, const HeadInputs& inputs, std::int64_t begin, std::int64_t size)
      : head_(head), inputs_(inputs), begin_(begin), size_(size) {}

  /// Adds to losses; returns the rows' gradient.
  Tensor run(double kl, double ce, HeadLosses& losses) const {
    Tensor rows = inputs_.quantized_rows.narrow(0, begin_, size_).detach().requires_grad_();
    const Tensor logits = head_.logits(*inputs_.quantized, rows);
    const Tensor log_q = log_probabilities(logits.detach());
    Tensor gradient = log_q.exp().mul_(kl_weight(kl) + ce);
    if (inputs_.reference) add_kl(log_q, kl, losses, gradient);
    add_ce(log_q, ce, losses, gradient);
    logits.backward(gradient.to(logits.scalar_type()));
    return rows.grad();
  }

 private:
  double kl_weight(double kl) const { return inputs_.reference ? kl : 0.0; }

  void add_kl(const Tensor& log_q, double weight, HeadLosses& losses, Tensor& gradient) const {
    const Tensor rows = inputs_.reference_rows.narrow(0, begin_, size_).detach();
    const Tensor log_p = log_probabilities(head_.logits(*inputs_.reference, rows));
    const Tensor p = log_p.exp();
    losses.kl += (p * (log_p - log_q)).sum().item<double>();
    gradient.sub_(p, weight);
  }

  void add_ce(const Tensor& log_q, double weight, HeadLosses& losses, Tensor& gradient) const {
    const Tensor targets = inputs_.targets.narrow(0, begin_, size_).unsqueeze(1);
    losses.ce -= log_q.gather(1, targets).sum().item<double>();
    if (weight != 0.0)
      gradient.scatter_add_(1, targets, torch::full_like(targets, -weight, torch::kFloat));
  }

  const modules::Head& head_;
  const HeadInputs& inputs_;
  std::int64_t begin_, size_;
};

}  // namespace

HeadGradient head_losses(const modules::Head& head, const HeadInputs& inputs, double kl,
                         double ce) {
  const std::int64_t rows = inputs.quantized_rows.size(0);
  HeadGradient result{{}, torch::empty_like(inputs.quantized_rows)};
  for_each_chunk(rows, [&](std::int64_t begin, std::int64_t size) {
    const Chunk chunk(head, inputs, begin, size);
    result.rows_gradient.narrow(0, begin, size).copy_(chunk.run(kl, ce, result.losses));
  });
  return result;
}

}  // namespace dualpath::trainer
