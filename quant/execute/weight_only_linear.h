#pragma once

#include <torch/types.h>

#include <vector>

#include "quant/execute/quantized_group.h"

namespace dualpath::quant {

/// x: [..., in] float. One y [..., out] in x's dtype for each weight: x times the weight's values
/// (code * scale in float32, cast once to x's dtype), + bias, multiplied in that dtype. Gradients
/// go straight through a trained weight's rounding. Saved for backward: the weight's values, of a
/// frozen one those that the group keeps; x where weights are trained.
std::vector<torch::Tensor> weight_only_linear(const torch::Tensor& x, QuantizedGroup& group);

}  // namespace dualpath::quant
