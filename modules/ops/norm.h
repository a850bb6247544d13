#pragma once

#include <ATen/core/Tensor.h>

namespace dualpath::modules {

/// y = x / sqrt(mean(x^2) + eps) * weight over the last dimension, computed in float32 and cast
/// once to x's dtype (Zhang and Sennrich 2019). x: [..., H] float32, bfloat16 or float16; weight:
/// [H] float32. Differentiable in both.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps);

/// y = (x - mean) / sqrt(variance + eps) * weight + bias over the last dimension (Ba et al. 2016),
/// computed in float32 and cast once to x's dtype. weight, bias: [H] float32.
at::Tensor layer_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                      double eps);

/// A batch norm's tensors, whose statistics stay as training left them (Ioffe and Szegedy 2015).
/// Each is [H] float32.
struct FrozenStatistics {
  at::Tensor weight, bias, mean, variance;
};
/// layer_norm()'s formula with frozen statistics, channel by channel. x: [..., H], dtype kept.
at::Tensor frozen_batch_norm(const at::Tensor& x, const FrozenStatistics& norm, double eps);

}  // namespace dualpath::modules
