#include "trainer/losses.h"

#include <torch/torch.h>

#include <algorithm>

namespace dualpath::trainer {
namespace {

using torch::Tensor;

constexpr std::int64_t kChunk =
    64;  // rows; times a vocabulary of 50 000 in float32 this stays in the cache

Tensor log_probabilities(const modules::Head& head, modules::Executor& executor,
                         const Tensor& rows) {
  const torch::NoGradGuard no_grad;
  return torch::log_softmax(head.logits(executor, rows), -1, torch::kFloat);
}

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
    const Tensor log_q = torch::log_softmax(logits.detach(), -1, torch::kFloat);
    Tensor gradient = log_q.exp().mul_(kl_weight(kl) + ce);
    if (inputs_.reference) add_kl(log_q, kl, losses, gradient);
    add_ce(log_q, ce, losses, gradient);
    logits.backward(gradient.to(logits.scalar_type()));
    return rows.grad();
  }

 private:
  double kl_weight(double kl) const { return inputs_.reference ? kl : 0.0; }

  void add_kl(const Tensor& log_q, double weight, HeadLosses& losses, Tensor& gradient) const {
    const Tensor log_p = log_probabilities(head_, *inputs_.reference,
                                           inputs_.reference_rows.narrow(0, begin_, size_));
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
  for (std::int64_t begin = 0; begin < rows; begin += kChunk) {
    const std::int64_t size = std::min(kChunk, rows - begin);
    const Chunk chunk(head, inputs, begin, size);
    result.rows_gradient.narrow(0, begin, size).copy_(chunk.run(kl, ce, result.losses));
  }
  return result;
}

}  // namespace dualpath::trainer
