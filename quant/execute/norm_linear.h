#pragma once

#include <torch/types.h>

#include <memory>
#include <vector>

#include "quant/execute/quantized_group.h"

namespace dualpath::quant {

/// quantized_linear(rms_norm(x, weight, eps), scale, group) with the same bits, norm and quantize
/// being one kernel each way. Saves x and each row's 1 / rms, and if weights are trained the codes.
/// x: [..., in]; weight: [in] float32 and scale: [1] float32, both frozen.
std::vector<torch::Tensor> norm_quantized_linear(const torch::Tensor& x,
                                                 const torch::Tensor& weight, double eps,
                                                 const torch::Tensor& scale,
                                                 const std::shared_ptr<QuantizedGroup>& group);

}  // namespace dualpath::quant
