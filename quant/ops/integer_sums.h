#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "quant/ops/input_scale.h"

namespace dualpath::quant {

// Products of codes: exact int32 sums, and values of them.

/// a: [M, K] int8, b: [N, K] int8 -> [M, N] int32, the exact sums of a's rows times b's rows, for
/// any codes and K up to 131 071 (where |sum| could pass int32). b may have been through
/// pad_for_sums(): then N is what it was padded to. The result may be a view of a larger tensor.
at::Tensor integer_sums(const at::Tensor& a, const at::Tensor& b);

/// b as the device's integer kernel takes it, with rows and columns of zeros added where its shape
/// is none that the kernel serves: so that a weight is padded once. b itself on the CPU, where
/// nothing needs it.
at::Tensor pad_for_sums(const at::Tensor& b);

/// "at::_int_mm" or "float32 chunks": what serves integer_sums on this processor: for inspect and
/// logs.
std::string integer_sums_route();

/// The same by float32 products of at most 1 024 columns at a time, whose sums a float32 holds
/// exactly: for processors and devices that at::_int_mm does not serve.
at::Tensor integer_sums_in_chunks(const at::Tensor& a, const at::Tensor& b);

/// sums: [M, N] int32 (or, on the CPU, float32 that a kernel has rounded them to), each row without
/// gaps; weight_scale: [N] float32; bias: [N] float32 or undefined.
/// y = float(sum) * (input_scale * weight_scale) + bias, then one cast. Result: [M, N] of `dtype`.
at::Tensor scale_sums(const at::Tensor& sums, const InputScale& input_scale,
                      const at::Tensor& weight_scale, const at::Tensor& bias, at::ScalarType dtype);

}  // namespace dualpath::quant
