#pragma once

#include <torch/types.h>

#include <vector>

#include "quant/execute/quantized_group.h"

namespace dualpath::quant {

/// Returns y [..., out] in x's dtype for each weight: x times the weight's values, + bias,
/// multiplied in that dtype. Values are code * scale in float32, cast once to x's dtype. x: [...,
/// in] float. Gradients go straight through a trained weight's rounding. Saves the weights' values,
/// for frozen ones the group's own, and x if weights are trained.
std::vector<torch::Tensor> weight_only_linear(const torch::Tensor& x, QuantizedGroup& group);

}  // namespace dualpath::quant
