#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "quant/ops/input_scale.h"

namespace dualpath::quant {

// Products of codes: exact int32 sums, and values made from them.

/// a: [M, K] int8, b: [N, K] int8 -> [M, N] int32, the exact sums of a's rows times b's rows. Holds
/// for any codes and K up to 131 071 (beyond, |sum| could pass int32). After pad_for_sums(b), N is
/// the padded size. The result may be a view of a larger tensor.
at::Tensor integer_sums(const at::Tensor& a, const at::Tensor& b);

/// Prepares b for the device's integer kernel: adds rows and columns of zeros if the kernel does
/// not serve its shape. So a weight is padded once. Returns b itself on the CPU, which needs no
/// padding.
at::Tensor pad_for_sums(const at::Tensor& b);

/// Name of the product that serves integer_sums on a device, for inspect and logs: "at::_int_mm" or
/// "float32 chunks".
std::string integer_sums_route(at::DeviceType device);

/// integer_sums() by float32 products of at most 1 024 columns, whose sums a float32 holds exactly.
/// For processors and devices that at::_int_mm does not serve.
at::Tensor integer_sums_in_chunks(const at::Tensor& a, const at::Tensor& b);

/// y = float(sum) * (input_scale * weight_scale) + bias, then one cast. sums: [M, N] int32 (or, on
/// the CPU, float32 that a kernel has rounded them to), each row without gaps; weight_scale: [N]
/// float32; bias: [N] float32 or undefined. Result: [M, N] of `dtype`.
at::Tensor scale_sums(const at::Tensor& sums, const InputScale& input_scale,
                      const at::Tensor& weight_scale, const at::Tensor& bias, at::ScalarType dtype);

}  // namespace dualpath::quant
