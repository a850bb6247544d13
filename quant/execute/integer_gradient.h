#pragma once

#include <torch/types.h>

#include <vector>

#include "quant/execute/quantized_weight.h"

namespace dualpath::quant {

/// A tensor group's weights as backward's integer product takes them.
struct TransposedCodes {
  /// [in, all outputs]. Its scale is a power of two, so that sums of so many products fit into
  /// float16.
  PreparedWeight matrix;
  torch::Tensor scale;  ///< [all outputs] float32, the weights' own
};

/// weights: of one input, by channel. Prepares them for the forward pass's kind of product.
TransposedCodes transposed_codes(const std::vector<QuantizedWeight>& weights);

/// Gradient of a quantized input by an integer product, as in SwitchBack (Wortsman et al. 2023,
/// section 2.2). Each row of the outputs' gradients, times the weights' scales, becomes INT8 by its
/// own absmax / 127. grads: [rows, out] of one float dtype, one a weight. Result: [rows, in] in
/// that dtype, 0 where in_range (see quantize.h; may be undefined) has a 0. All kernels give the
/// same bits. NaN if a value is not finite.
torch::Tensor integer_input_gradient(const std::vector<torch::Tensor>& grads,
                                     const TransposedCodes& weights, const torch::Tensor& in_range);

}  // namespace dualpath::quant
