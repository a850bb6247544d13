#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "quant/arithmetic.h"
#include "quant/scheme.h"

namespace dualpath::quant {

/// The kernels on tensors: checks, picks the device, splits the work over threads.

struct Codes {
  at::Tensor values;    ///< shape of x; int8, or uint8 on an unsigned grid
  at::Tensor in_range;  ///< uint8 [(numel + 7) / 8], a bit an element in the order of x (element i
                        ///< is bit i % 8 of byte i / 8): 1 where the straight-through gradient
                        ///< passes; undefined unless asked for
};

/// x: float32, bfloat16 or float16. A value that is not finite is an Error naming `site`.
Codes quantize(const at::Tensor& x, Grid grid, const std::string& site, bool want_in_range = false);

/// In place: grad = 0 where its bit of Codes::in_range is 0. grad: float, contiguous, as many
/// elements as were quantized.
void mask_gradient(const at::Tensor& grad, const at::Tensor& in_range);
/// In place: grad = grad * its row's scale in float32, then one cast; then mask_gradient() if
/// in_range is defined. grad: [rows, width] float, contiguous; scale: [rows] float32.
void scale_and_mask(const at::Tensor& grad, const at::Tensor& scale, const at::Tensor& in_range);

/// Codes with a scale of their own for each row (or group of a row). A value that is not finite is
/// an Error naming `site`.
struct ScaledCodes {
  at::Tensor values;      ///< shape of x; int8, or uint8 with zero point 128
  at::Tensor scale;       ///< float32, one a row or group
  at::Tensor zero_point;  ///< int8, as scale, where it is asymmetric: what values are less by
};
/// x: [..., K] float; scale: one a token, its largest magnitude over 127.
ScaledCodes quantize_tokens(const at::Tensor& x, bool unsigned_codes, const std::string& site);
/// The gradients of a group's outputs, side by side: grads: [rows, N_i] of one float dtype each;
/// factors: float32 [sum of N_i], what their columns are multiplied by before; scale: one a row.
/// No error where a value is not finite: all scales are NaN then, as is what is made of them, and
/// training finds it.
ScaledCodes quantize_gradients(const std::vector<at::Tensor>& grads, const at::Tensor& factors,
                               bool unsigned_codes);
/// A weight x: [N, K] float, by channel (scale: [N]) or group (K a multiple of its size; scale:
/// [N, K / group_size]). value = code * scale; of b bits, symmetric codes are within
/// 2^(b-1) - 1 of zero, and with their zero point added asymmetric ones lie in
/// [-2^(b-1), 2^(b-1) - 1].
ScaledCodes quantize_by(const QuantArgs& args, const at::Tensor& x, const std::string& site);

/// codes: int8 with zero point 0, or uint8 with zero point 128; scale: float32, [1] or one for each
/// of as many equal runs of codes (rows, groups). Result: code * scale in float32, then one cast.
at::Tensor dequantize(const at::Tensor& codes, const at::Tensor& scale, at::ScalarType dtype);

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

}  // namespace dualpath::quant
