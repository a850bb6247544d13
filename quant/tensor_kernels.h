#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "quant/arithmetic.h"

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

/// grad: float, as many elements as were quantized. Result: grad where its bit of Codes::in_range
/// is 1, else 0.
at::Tensor mask_gradient(const at::Tensor& grad, const at::Tensor& in_range);

/// Codes with a symmetric scale of their own for each row (or group of a row): its largest
/// magnitude over qmax, found in the same pass. A value that is not finite is an Error naming
/// `site`.
struct ScaledCodes {
  at::Tensor values;  ///< shape of x; int8, or uint8 with zero point 128
  at::Tensor scale;   ///< float32, one a row or group
};
/// x: [..., K] float; scale: one a token.
ScaledCodes quantize_tokens(const at::Tensor& x, bool unsigned_codes, const std::string& site);
/// Weights. x: [N, K] float; codes in [-127, 127]; scale: [N].
ScaledCodes quantize_channels(const at::Tensor& x, const std::string& site);
/// Weights on 4 or 8 bits. x: [N, K] float, K a multiple of group_size; codes in [-7, 7] or
/// [-127, 127], a byte each; scale: [N, K / group_size].
ScaledCodes quantize_groups(const at::Tensor& x, std::int64_t group_size, int num_bits,
                            const std::string& site);

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
