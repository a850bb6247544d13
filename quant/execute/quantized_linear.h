#pragma once

#include <torch/types.h>

#include <memory>
#include <vector>

#include "quant/execute/quantized_group.h"

namespace dualpath::quant {

/// x: [..., in] float; scale: [1] float32, the input's. One y [..., out] in x's dtype for each
/// weight: y = float(sum) * (s_x * s_w) + bias. Backward is straight-through: to x where the
/// rounded level is in range, to scale as LSQ has it (Esser et al. 2020, sections 2.1 and 2.2), to
/// trained weights and biases as trained_gradients() says. Saved for backward: one bit an element
/// of x; where weights are trained its codes, too; x itself only where the scale is trained.
std::vector<torch::Tensor> quantized_linear(const torch::Tensor& x, const torch::Tensor& scale,
                                            const std::shared_ptr<QuantizedGroup>& group);

/// The same with a scale for each row of x, found in the row itself: s_x = absmax / 127, so all of
/// it is in range, and the gradient passes everywhere. (That s_x follows the row's largest value is
/// left out.) Saved for backward: nothing, or the codes where weights are trained.
std::vector<torch::Tensor> token_quantized_linear(const torch::Tensor& x,
                                                  const std::shared_ptr<QuantizedGroup>& group);

}  // namespace dualpath::quant
