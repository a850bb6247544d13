#pragma once

#include <torch/types.h>

#include <string>

namespace dualpath::quant {

// Codes as float32 tensors that autograd sees. The gradient passes straight through the rounding
// where the rounded level is in range, and is zero elsewhere.

/// Rounds levels (value / scale), float32, half to even, and saturates them.
torch::Tensor codes_of_levels(const torch::Tensor& levels, int qmin, int qmax);

/// Codes of an activation x on its grid: -128 to 127, 8 bits. scale: float32, broadcast to x; it
/// gets a gradient, too, if it is trained. A value that is not finite is an Error naming `site`.
torch::Tensor activation_codes(const torch::Tensor& x, const torch::Tensor& scale,
                               const std::string& site, int num_bits = 8);

}  // namespace dualpath::quant
