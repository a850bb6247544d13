#pragma once

#include <ATen/core/Tensor.h>

#include <string>

namespace dualpath::quant {

/// The kernels of kernels/rows.h on tensors.

/// x: [N, K] float32 on the CPU. Writes codes: [N, K] int8 in [-127, 127], and scale: [N] float32,
/// absmax / 127 of each row. A value that is not finite is an Error naming `site`.
void quantize_weight_rows(const at::Tensor& x, const std::string& site, const at::Tensor& codes,
                          const at::Tensor& scale);

/// codes: [rows, columns], int8, or uint8 with zero point 128; scale: [rows] float32, or undefined
/// for 1. Writes y: [rows, columns] of a float dtype.
void dequantize_rows(const at::Tensor& codes, const at::Tensor& scale, const at::Tensor& y);

/// scale_sums with an input scale a row. sums: [M, N] int32, or float32 where a kernel has rounded
/// them already; input_scale: [M] float32. The rest as there.
at::Tensor scale_sum_rows(const at::Tensor& sums, const at::Tensor& input_scale,
                          const at::Tensor& weight_scale, const at::Tensor& bias,
                          at::ScalarType dtype);

}  // namespace dualpath::quant
