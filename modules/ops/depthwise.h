#pragma once

#include <ATen/core/Tensor.h>

#include "modules/network/executor.h"

namespace dualpath::modules {

/// Whether depthwise() can do this convolution over time: each channel by itself, with a stride of
/// 1, on the CPU.
bool is_depthwise(const ConvRef& ref, const at::Tensor& x);

/// Convolves x [B, C, T] by a weight [C, 1, kernel]. bias: [C], or undefined for none. Sums are
/// float32, then cast once. It reads and writes [B, T, C], so a transposed view of that is copied
/// neither as x nor as the result. (oneDNN's goes by im2col if the padding is wide: 16 times as
/// long for a kernel of 31, by bench_kernels --benchmark_filter=depthwise.)
at::Tensor depthwise(const ConvRef& ref, const at::Tensor& x, const at::Tensor& weight,
                     const at::Tensor& bias);

}  // namespace dualpath::modules
