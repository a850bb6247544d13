#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "modules/ops/right_operand.h"

namespace dualpath::modules {

/// Prepares a frozen W [out, in] once for many products: preparing it for each would cost a good
/// part of the product. Each direction's layout is made when it is first asked for. The plain
/// matrix is not kept.
class PreparedMatrix {
 public:
  explicit PreparedMatrix(std::function<at::Tensor()> plain) : plain_(std::move(plain)) {}

  /// Right operand of x W^T.
  const RightOperand& forward();
  /// Right operand of gradients W.
  const RightOperand& backward();

 private:
  std::function<at::Tensor()> plain_;
  std::optional<RightOperand> forward_, backward_;
};

/// y = x W^T + b. x: [..., in]; bias: [out], frozen, or undefined. Result: [..., out].
at::Tensor prepared_linear(const at::Tensor& x, const std::shared_ptr<PreparedMatrix>& matrix,
                           const at::Tensor& bias = {});

}  // namespace dualpath::modules
