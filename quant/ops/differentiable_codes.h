#pragma once

#include <torch/types.h>

#include <string>

namespace dualpath::quant {

// Codes as float32 tensors that autograd sees: the gradient passes straight through the rounding
// where the rounded level is in range, and is zero elsewhere.

/// Of levels (value / scale), float32: rounded half to even, saturated.
torch::Tensor codes_of_levels(const torch::Tensor& levels, int qmin, int qmax);

/// Of an activation x on its grid, -128 to 127 of 8 bits; scale: float32, broadcast to x, which
/// gets a gradient, too, if it is trained. A value that is not finite is an Error naming `site`.
torch::Tensor activation_codes(const torch::Tensor& x, const torch::Tensor& scale,
                               const std::string& site, int num_bits = 8);

}  // namespace dualpath::quant
