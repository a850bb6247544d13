#include "quant/execute/quantized_weight.h"

#include <torch/torch.h>

namespace dualpath::quant {

using torch::Tensor;

namespace {

/// Straight-through: returns `values`; the gradient goes to `trained`.
struct StandIn : torch::autograd::Function<StandIn> {
  static Tensor forward(torch::autograd::AutogradContext*, const Tensor& /*trained*/,
                        const Tensor& values) {
    return values.clone();
  }
  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext*,
                                               const torch::autograd::tensor_list& grads) {
    return {grads.front(), Tensor()};
  }
};

}  // namespace

bool QuantizedWeight::set(std::shared_ptr<const GridWeight> codes, WeightKind kind) {
  if (codes == grid) return false;
  grid = std::move(codes);
  prepared = prepare(*grid, kind, std::move(prepared));
  return true;
}

Tensor QuantizedWeight::rows(const Tensor& ids, torch::ScalarType dtype) const {
  const Tensor values = grid->dequantized_rows(ids, dtype);
  return is_trained() ? StandIn::apply(torch::embedding(source, ids).to(dtype), values) : values;
}

}  // namespace dualpath::quant
