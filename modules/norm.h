#pragma once

#include <ATen/core/Tensor.h>

namespace dualpath::modules {

/// y = x / sqrt(mean(x^2) + eps) * weight over the last dimension, computed in float32 and cast
/// once to x's dtype (Zhang and Sennrich 2019). x: [..., H] float32, bfloat16 or float16; weight:
/// [H] float32. Differentiable in both.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps);

}  // namespace dualpath::modules
