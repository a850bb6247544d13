#pragma once

#include <torch/types.h>

#include <memory>
#include <string>
#include <vector>

#include "quant/arithmetic.h"

namespace dualpath::quant {

/// A linear's weight on its integer grid; frozen.
struct QuantizedWeight {
  torch::Tensor codes;   ///< [out, in] int8 in [-127, 127]
  torch::Tensor scale;   ///< [out] float32
  torch::Tensor bias;    ///< [out] float32, or undefined
  torch::Tensor packed;  ///< as the integer kernel takes it; undefined where none is used

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

  /// The grid that the weights' kernel wants its input on.
  Grid input_grid(float scale) const {
    return weights.front().packed.defined() ? unsigned_activation_grid(scale)
                                            : activation_grid(scale);
  }
  const std::vector<torch::Tensor>& dequantized_in(torch::ScalarType dtype);
};

/// A group travels through autograd in a node's saved data.
c10::IValue held(std::shared_ptr<QuantizedGroup> group);
QuantizedGroup& group_in(const c10::IValue& value);

/// One y [..., out] of `dtype` for each weight, from codes on the group's input grid, [rows, in];
/// shape: of x, whose last size becomes each weight's out.
std::vector<torch::Tensor> multiply(const torch::Tensor& codes, float scale,
                                    const QuantizedGroup& group, torch::IntArrayRef shape,
                                    torch::ScalarType dtype);

/// The gradient of the quantized input, [rows, in], before the range is looked at; undefined where
/// no y has a gradient.
torch::Tensor input_gradient(const std::vector<torch::Tensor>& grads, QuantizedGroup& group);

/// x: [..., in] float; scale: [1] float32, the input's. One y [..., out] in x's dtype for each
/// weight: y = float(sum) * (s_x * s_w) + bias. Backward is straight-through: to x where the
/// rounded level is in range, to scale as LSQ has it (Esser et al. 2020, sections 2.1 and 2.2),
/// nothing to the weights. Saved for backward: one bit an element of x; x itself only where the
/// scale is trained.
std::vector<torch::Tensor> quantized_linear(const torch::Tensor& x, const torch::Tensor& scale,
                                            const std::shared_ptr<QuantizedGroup>& group);

}  // namespace dualpath::quant
