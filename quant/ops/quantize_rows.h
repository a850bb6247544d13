#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "quant/arithmetic.h"
#include "quant/scheme.h"

namespace dualpath::quant {

/// Codes with a scale of their own for each row (or group of a row). A value that is not finite is
/// an Error naming `site`: on CUDA when the stage ends (modules/weights/device_counts.h).
struct ScaledCodes {
  at::Tensor values;      ///< shape of x; int8, or uint8 with zero point 128
  at::Tensor scale;       ///< float32, one a row or group
  at::Tensor zero_point;  ///< int8, like scale, if asymmetric: the codes are less by it
};
/// Quantizes x: [..., K] float, with one scale a token: its largest magnitude over the largest code
/// (127 of 8 bits, 7 of 4). like: the grid but for the scale.
ScaledCodes quantize_tokens(const at::Tensor& x, Grid like, const std::string& site);
/// A weight x: [N, K] float, by channel (scale: [N]) or group (K a multiple of its size; scale: [N,
/// K / group_size]). value = code * scale. Symmetric codes of b bits are within 2^(b-1) - 1 of
/// zero. Asymmetric ones, with their zero point added, lie in [-2^(b-1), 2^(b-1) - 1].
ScaledCodes quantize_by(const QuantArgs& args, const at::Tensor& x, const std::string& site);

/// The grid of a token's codes but for the scale, which is the token's own.
inline Grid token_grid(bool unsigned_codes, int num_bits = 8) {
  return unsigned_codes ? unsigned_activation_grid(1.0f, num_bits)
                        : activation_grid(1.0f, num_bits);
}

}  // namespace dualpath::quant
