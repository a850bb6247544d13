#include "modules/ops/prepared_linear.h"

#include <torch/autograd.h>

#include "modules/ops/held.h"
#include "modules/ops/optional_tensor.h"

namespace dualpath::modules {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Multiplies the last dimension of x.
Tensor product(const Tensor& x, const RightOperand& right, const Tensor& bias) {
  std::vector<std::int64_t> sizes = x.sizes().vec();
  const Tensor y = right.multiply(x.reshape({-1, sizes.back()}), bias);
  sizes.back() = y.size(1);
  return y.view(sizes);
}

struct PreparedLinear : torch::autograd::Function<PreparedLinear> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const std::optional<Tensor>& bias,
                        const std::shared_ptr<PreparedMatrix>& matrix) {
    ctx->saved_data["matrix"] = held(matrix);
    return product(x, matrix->forward(), bias.value_or(Tensor()));
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    auto& matrix = held_in<PreparedMatrix>(ctx->saved_data["matrix"]);
    return {product(grads.front(), matrix.backward(), /*bias=*/{}), Tensor(), Tensor()};
  }
};

}  // namespace

const RightOperand& PreparedMatrix::forward() {
  if (!forward_) forward_ = RightOperand::prepared(plain_());
  return *forward_;
}

const RightOperand& PreparedMatrix::backward() {
  if (!backward_) backward_ = RightOperand::prepared(plain_().t());
  return *backward_;
}

Tensor prepared_linear(const Tensor& x, const std::shared_ptr<PreparedMatrix>& matrix,
                       const Tensor& bias) {
  return PreparedLinear::apply(x, optional_of(bias), matrix);
}

}  // namespace dualpath::modules
