#pragma once

#include <ATen/core/Tensor.h>

#include "modules/network/executor.h"

namespace dualpath::modules {

/// Whether a convolution over time is one that depthwise() does: each channel by itself, with a
/// stride of 1, on the CPU.
bool is_depthwise(const ConvRef& ref, const at::Tensor& x);

/// That convolution of x [B, C, T] by a weight [C, 1, kernel] and a bias [C], undefined: none; sums
/// in float32, then one cast. It reads and writes [B, T, C], so a transposed view of that is
/// neither copied as x nor as the result. (oneDNN's goes by im2col where the padding is wide: 16
/// times as long for a kernel of 31, by bench_kernels --benchmark_filter=depthwise.)
at::Tensor depthwise(const ConvRef& ref, const at::Tensor& x, const at::Tensor& weight,
                     const at::Tensor& bias);

}  // namespace dualpath::modules
