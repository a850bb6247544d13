#pragma once

#include <torch/types.h>

#include <memory>
#include <vector>

#include "quant/execute/quantized_group.h"

namespace dualpath::quant {

/// Returns y [..., out] in x's dtype for each weight: y = float(sum) * (s_x * s_w) + bias. x: [...,
/// in] float; scale: [1] float32, the input's, on its device. Backward is straight-through: to x
/// where the rounded level is in range, to scale as in LSQ (Esser et al. 2020, sections 2.1
/// and 2.2). Gradients of trained weights and biases are trained_gradients(). Saves one bit an
/// element of x; if weights are trained also its codes; x itself only if the scale is trained.
std::vector<torch::Tensor> quantized_linear(const torch::Tensor& x, const torch::Tensor& scale,
                                            const std::shared_ptr<QuantizedGroup>& group);

/// Like quantized_linear(), but each row of x has a scale found in the row: s_x = absmax / 127. So
/// all of it is in range, and the gradient passes everywhere. (That s_x follows the row's largest
/// value is left out.) Saves nothing, or the codes if weights are trained.
std::vector<torch::Tensor> token_quantized_linear(const torch::Tensor& x,
                                                  const std::shared_ptr<QuantizedGroup>& group);

}  // namespace dualpath::quant
