#pragma once

#include <ATen/core/Tensor.h>

#include <utility>

namespace dualpath::modules {

/// The right operand W [N, K] of products x W^T.
class RightOperand {
 public:
  /// As it is: for a matrix that changes before it would pay to prepare it.
  static RightOperand plain(const at::Tensor& matrix) { return {matrix, {}}; }
  /// In the processor's own layout, where packs(its dtype, device): oneDNN brings a plain one into
  /// it at every product. The products are the plain one's, up to the order of their sums.
  static RightOperand packed(const at::Tensor& matrix);

  /// x: [M, K]; bias: [N], added before the one rounding, or undefined. Result: [M, N].
  at::Tensor multiply(const at::Tensor& x, const at::Tensor& bias = {}) const;
  /// sum [M, N] += x W^T, rounded once.
  void add_product(const at::Tensor& x, at::Tensor& sum) const;

 private:
  RightOperand(at::Tensor plain, at::Tensor packed)
      : plain_(std::move(plain)), packed_(std::move(packed)) {}

  at::Tensor plain_, packed_;  // one of them
};

/// Whether there is a layout to pack such a matrix into: it is bfloat16 on the CPU, and oneDNN
/// serves.
bool packs(at::ScalarType dtype, at::Device device);

}  // namespace dualpath::modules
