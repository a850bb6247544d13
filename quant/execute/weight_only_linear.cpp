#include "quant/execute/weight_only_linear.h"

#include <torch/autograd.h>

namespace dualpath::quant {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Rounds a trained weight to its grid's values. The gradient goes straight to the trained tensor.
struct RoundedWeight : torch::autograd::Function<RoundedWeight> {
  static Tensor forward(AutogradContext*, const Tensor& /*source*/, const GridWeight& weight,
                        torch::ScalarType dtype) {
    return weight.dequantized(dtype);
  }
  static variable_list backward(AutogradContext*, const variable_list& grads) {
    return {grads.front().to(torch::kFloat), Tensor(), Tensor()};
  }
};

}  // namespace

std::vector<Tensor> weight_only_linear(const Tensor& x, QuantizedGroup& group) {
  const torch::ScalarType dtype = x.scalar_type();
  std::vector<Tensor> results;
  for (std::size_t i = 0; i < group.weights.size(); ++i) {
    const QuantizedWeight& weight = group.weights[i];
    const Tensor matrix = weight.is_trained()
                              ? RoundedWeight::apply(weight.source, *weight.grid, dtype)
                              : group.values_in(dtype)[i];
    results.push_back(
        at::linear(x, matrix, weight.bias.defined() ? weight.bias.to(dtype) : Tensor()));
  }
  return results;
}

}  // namespace dualpath::quant
