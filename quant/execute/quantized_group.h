#pragma once

#include <torch/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "modules/ops/right_operand.h"
#include "quant/arithmetic.h"
#include "quant/execute/integer_gradient.h"
#include "quant/execute/quantized_weight.h"
#include "quant/ops/input_scale.h"

namespace dualpath::quant {

/// A tensor group's consumers: one input, quantized once, and the weights it meets.
struct QuantizedGroup {
  std::string site;  ///< the group's input, for errors
  std::vector<QuantizedWeight> weights;
  /// Transposes of codes * scale, one a weight: what the gradient is multiplied by. Made at the
  /// first backward, in the gradient's dtype.
  std::vector<modules::RightOperand> dequantized = {};
  torch::ScalarType dequantized_dtype = torch::kFloat;
  /// Codes * scale, one a weight (undefined where it is trained): what an input that is not
  /// quantized is multiplied by.
  std::vector<torch::Tensor> values = {};
  /// kInt8: for weights by channel, and while they are frozen.
  InputGradients input_gradients = InputGradients::kFloat;
  /// Made at the first backward that takes them.
  std::optional<TransposedCodes> transposes = {};

  /// Whether the weights' kernel wants its input as uint8 with zero point 128, instead of int8.
  bool takes_unsigned() const;
  /// The grid that the weights' kernel wants its input on.
  Grid input_grid(float scale) const {
    return takes_unsigned() ? unsigned_activation_grid(scale) : activation_grid(scale);
  }
  const std::vector<modules::RightOperand>& dequantized_in(torch::ScalarType dtype);
  const std::vector<torch::Tensor>& values_in(torch::ScalarType dtype);
  bool has_integer_gradients() const;
  const TransposedCodes& transposed_codes();

  /// Weights and biases that get a gradient, in their order: each weight, then its bias.
  std::vector<torch::Tensor> trained() const;
  /// weights[index].set(), and what was computed from the codes before is forgotten or made anew.
  void set(std::size_t index, std::shared_ptr<const GridWeight> codes, WeightKind kind);
};

/// One y [..., out] of `dtype` for each weight, from codes on the group's input grid, [rows, in];
/// shape: of x, whose last size becomes each weight's out.
std::vector<torch::Tensor> multiply(const torch::Tensor& codes, const InputScale& scale,
                                    const QuantizedGroup& group, torch::IntArrayRef shape,
                                    torch::ScalarType dtype);

/// The gradient of the quantized input, [rows, in], 0 where in_range (of quantize.h, or
/// undefined) has a 0; undefined where no y has a gradient.
torch::Tensor input_gradient(const std::vector<torch::Tensor>& grads, QuantizedGroup& group,
                             const torch::Tensor& in_range = {});

/// The gradients of group.trained(), float32, in that order: of a weight, y's gradient times the
/// dequantized input, multiplied in the gradient's dtype (straight through the weight's own
/// rounding, which saturates nothing; that its scale follows its largest value is left out); of a
/// bias, the sum over rows. Undefined where it is not wanted(position) or y has no gradient.
std::vector<torch::Tensor> trained_gradients(const std::vector<torch::Tensor>& grads,
                                             const torch::Tensor& codes, const InputScale& scale,
                                             const QuantizedGroup& group,
                                             const std::function<bool(std::size_t)>& wanted);

}  // namespace dualpath::quant
