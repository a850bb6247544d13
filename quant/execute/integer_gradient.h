#pragma once

#include <torch/types.h>

#include <vector>

#include "quant/execute/quantized_weight.h"

namespace dualpath::quant {

/// The weights of a tensor group as an integer product takes them on the way back.
struct TransposedCodes {
  /// [in, all their outputs]. Its scale is a power of two, by which the sums of so many products
  /// fit into float16.
  PreparedWeight matrix;
  torch::Tensor scale;  ///< [all their outputs] float32, the weights' own
};

/// weights: of one input, by channel. They are prepared for the kind of product that the forward
/// pass takes.
TransposedCodes transposed_codes(const std::vector<QuantizedWeight>& weights);

/// The gradient of a quantized input by an integer product, as SwitchBack has it (Wortsman et al.
/// 2023, section 2.2): each row of the outputs' gradients, times the weights' scales, becomes INT8
/// by its own absmax / 127. grads: [rows, out] of one float dtype, one a weight. Result: [rows, in]
/// in that dtype, 0 where in_range (of quantize.h, or undefined) has a 0; the same bits by
/// every kernel; NaN if a value is not finite.
torch::Tensor integer_input_gradient(const std::vector<torch::Tensor>& grads,
                                     const TransposedCodes& weights, const torch::Tensor& in_range);

}  // namespace dualpath::quant
