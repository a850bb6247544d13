#pragma once

#include <ATen/core/Tensor.h>

#include <utility>

namespace dualpath::modules {

/// The right operand W [N, K] of products x W^T.
class RightOperand {
 public:
  /// Keeps W plain: for matrices that change too often for preparing to pay.
  static RightOperand plain(const at::Tensor& matrix) { return {matrix, {}}; }
  /// Prepares W in the processor's own layout; needs can_prepare(its dtype, device). oneDNN would
  /// bring a plain one into it at every product. Products equal the plain one's, up to the order of
  /// sums.
  static RightOperand prepared(const at::Tensor& matrix);

  /// x: [M, K]; bias: [N], added before the one rounding, or undefined. Result: [M, N].
  at::Tensor multiply(const at::Tensor& x, const at::Tensor& bias = {}) const;
  /// sum [M, N] += x W^T, rounded once.
  void add_product(const at::Tensor& x, at::Tensor& sum) const;

 private:
  RightOperand(at::Tensor plain, at::Tensor prepared)
      : plain_(std::move(plain)), prepared_(std::move(prepared)) {}

  at::Tensor plain_, prepared_;  // one is defined
};

/// Whether the processor has a layout to prepare such a matrix in: for bfloat16 on the CPU, if
/// oneDNN serves.
bool can_prepare(at::ScalarType dtype, at::Device device);

}  // namespace dualpath::modules
