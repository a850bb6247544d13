#pragma once

#include <ATen/ATen.h>

namespace dualpath::testing {

/// |a - b| / |b|: L2 norms of all elements, in float64.
inline double relative_difference(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor x = a.to(at::kDouble), y = b.to(at::kDouble);
  return ((x - y).norm() / y.norm()).item<double>();
}

}  // namespace dualpath::testing
