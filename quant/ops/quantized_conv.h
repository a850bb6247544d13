#pragma once

#include <torch/types.h>

#include <string>

#include "modules/network/executor.h"
#include "quant/ops/grid_weight.h"

namespace dualpath::quant {

/// Simulates a convolution in integers exactly: y = float(sum) * (scale * weight.scale[c]) + bias,
/// then one cast to x's dtype. Sums are of int8 codes, so im2col and integer_sums give the same
/// bits. x: [B, in_channels, sizes...]; scale: [1] float32 of x; weight.codes: [out_channels,
/// in_channels / groups * kernel]; bias: [out_channels] float32 or undefined. The gradient passes
/// straight through x's rounding and is zero where x saturates. `site` names x if a value is not
/// finite.
torch::Tensor quantized_conv(const torch::Tensor& x, const torch::Tensor& scale,
                             const GridWeight& weight, const torch::Tensor& bias,
                             const modules::ConvRef& ref, const std::string& site,
                             int num_bits = 8);

}  // namespace dualpath::quant
