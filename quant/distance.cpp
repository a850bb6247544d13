#include "quant/distance.h"

#include <torch/autograd.h>
#include <torch/torch.h>

namespace dualpath::quant {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// sum over tokens of weight * |q - fp|^2; keeps q - fp and the weights, nothing of fp.
struct WeightedSquares : torch::autograd::Function<WeightedSquares> {
  static Tensor forward(AutogradContext* ctx, const Tensor& q, const Tensor& fp,
                        const Tensor& weight) {
    const Tensor difference = q - fp;
    ctx->save_for_backward({difference, weight});
    return (difference.to(torch::kFloat).square().sum(-1) * weight).sum();
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const variable_list saved = ctx->get_saved_variables();
    const Tensor slope = 2.0 * grads[0] * saved[1].unsqueeze(-1);
    return {(saved[0].to(torch::kFloat) * slope).to(saved[0].scalar_type()), Tensor(), Tensor()};
  }
};

/// [B, T] float32: what a token's squared difference counts.
Tensor token_weights(DistanceKind kind, const Tensor& fp, const Tensor& mask) {
  if (kind == DistanceKind::kSquared) return mask.to(torch::kFloat);
  constexpr double kEps = 1e-6;  // a token of zeros has no relative distance
  return mask / (fp.to(torch::kFloat).square().sum(-1) + kEps);
}

}  // namespace

Tensor hidden_distance(DistanceKind kind, const Tensor& fp, const Tensor& q, const Tensor& mask) {
  return WeightedSquares::apply(q, fp, token_weights(kind, fp, mask));
}

}  // namespace dualpath::quant
