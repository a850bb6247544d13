#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "quant/arithmetic.h"

namespace dualpath::quant {

/// The kernels on tensors: checks, picks the device, splits the work over threads.

struct Codes {
  at::Tensor values;    ///< shape of x; int8, or uint8 on an unsigned grid
  at::Tensor in_range;  ///< uint8, shape of x: 1 where the straight-through gradient passes;
                        ///< undefined unless asked for
};

/// x: float32, bfloat16 or float16. A value that is not finite is an Error naming `site`.
Codes quantize(const at::Tensor& x, Grid grid, const std::string& site, bool want_in_range = false);

/// Codes by row, each row on a symmetric grid of its own.
struct ScaledCodes {
  at::Tensor values;  ///< [rows, width] int8, or uint8 with zero point 128
  at::Tensor scale;   ///< [rows] float32: absmax / 127
};
/// x: [rows, width] float32, bfloat16 or float16. A value that is not finite is an Error naming
/// `site`.
ScaledCodes quantize_tokens(const at::Tensor& x, bool unsigned_codes, const std::string& site);

/// RMSNorm and quantize as one kernel, with the bits of the two apart.
struct NormCodes {
  at::Tensor codes;        ///< [rows, width]; int8, or uint8 on an unsigned grid
  at::Tensor inverse_rms;  ///< [rows] float32
};
/// x: [..., width] float, contiguous; weight: [width] float32. A result that is not finite is an
/// Error naming `site`.
NormCodes norm_quantize(const at::Tensor& x, const at::Tensor& weight, double eps, Grid grid,
                        const std::string& site);
/// grad: [rows, width] in x's dtype, of the quantized values. Result: of x, in its shape.
at::Tensor norm_quantize_gradient(const at::Tensor& grad, const at::Tensor& x,
                                  const at::Tensor& weight, const at::Tensor& inverse_rms,
                                  Grid grid);

/// a: [M, K] int8, b: [N, K] int8 -> [M, N] int32, the exact sums of a's rows times b's rows, for
/// any codes and K up to 131 071 (where |sum| could pass int32).
at::Tensor integer_sums(const at::Tensor& a, const at::Tensor& b);

/// "at::_int_mm" or "float32 chunks": what serves integer_sums on this processor: for inspect and
/// logs.
std::string integer_sums_route();

/// The same by float32 products of at most 1 024 columns at a time, whose sums a float32 holds
/// exactly: for processors and devices that at::_int_mm does not serve.
at::Tensor integer_sums_in_chunks(const at::Tensor& a, const at::Tensor& b);

/// sums: [M, N] int32, weight_scale: [N] float32, bias: [N] float32 or undefined. Result: [M, N] of
/// `dtype`.
at::Tensor scale_sums(const at::Tensor& sums, float input_scale, const at::Tensor& weight_scale,
                      const at::Tensor& bias, at::ScalarType dtype);

}  // namespace dualpath::quant
