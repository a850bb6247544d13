#pragma once

#include <torch/types.h>

#include <memory>
#include <string>
#include <vector>

namespace dualpath::quant {

/// A linear's weight on its integer grid; frozen.
struct QuantizedWeight {
  torch::Tensor codes;  ///< [out, in] int8 in [-127, 127]
  torch::Tensor scale;  ///< [out] float32
  torch::Tensor bias;   ///< [out] float32, or undefined

  /// codes * scale in `dtype`: what the gradient flows back through.
  torch::Tensor dequantized(torch::ScalarType dtype) const;
};

/// From the source's values in float32, whatever dtype they come in: scale = absmax / 127 a row.
/// `site` names the weight if a value is not finite.
QuantizedWeight quantize_weight(const torch::Tensor& source, const std::string& site);

/// A tensor group's consumers: one input, quantized once, and the weights it meets.
struct QuantizedGroup {
  std::string site;  ///< the group's input, for errors
  std::vector<QuantizedWeight> weights;
  /// codes * scale in the dtype of the gradient, one a weight; made at the first backward.
  std::vector<torch::Tensor> dequantized;
};

/// x: [..., in] float; scale: [1] float32, the input's. One y [..., out] in x's dtype for each
/// weight: y = float(sum) * (s_x * s_w) + bias. Backward is straight-through: to x where the
/// rounded level is in range, to scale as LSQ has it (Esser et al. 2020, sections 2.1 and 2.2),
/// nothing to the weights. Saved for backward: one byte an element of x; x itself only where the
/// scale is trained.
std::vector<torch::Tensor> quantized_linear(const torch::Tensor& x, const torch::Tensor& scale,
                                            const std::shared_ptr<QuantizedGroup>& group);

}  // namespace dualpath::quant
