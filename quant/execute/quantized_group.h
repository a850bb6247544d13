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
  int input_bits = 8;  ///< bits of the input's codes
  /// Transposes of codes * scale, one a weight: backward multiplies by them. Made at the first
  /// backward, in the gradient's dtype.
  std::vector<modules::RightOperand> dequantized = {};
  torch::ScalarType dequantized_dtype = torch::kFloat;
  /// Codes * scale, one a weight, for inputs that are not quantized. Undefined for a trained
  /// weight.
  std::vector<torch::Tensor> values = {};
  /// kInt8 needs weights by channel that are frozen.
  InputGradients input_gradients = InputGradients::kFloat;
  /// Codes for integer input gradients, made at the first backward that takes them.
  std::optional<TransposedCodes> transposes = {};

  /// Whether the weights' kernel takes its input as uint8 with zero point 128 instead of int8.
  bool takes_unsigned() const;
  /// Input grid of the weights' kernel but for its scale.
  Grid input_grid() const {
    return takes_unsigned() ? unsigned_activation_grid(1.0f, input_bits)
                            : activation_grid(1.0f, input_bits);
  }
  const std::vector<modules::RightOperand>& dequantized_in(torch::ScalarType dtype);
  const std::vector<torch::Tensor>& values_in(torch::ScalarType dtype);
  bool has_integer_gradients() const;
  const TransposedCodes& transposed_codes();

  /// Weights and biases that get a gradient, in their order: each weight, then its bias.
  std::vector<torch::Tensor> trained() const;
  /// Calls weights[index].set(). Forgets or recomputes all that came from the old codes.
  void set(std::size_t index, std::shared_ptr<const GridWeight> codes, WeightKind kind);
};

/// Returns y [..., out] of `dtype` for each weight, from codes [rows, in] on the group's input
/// grid. shape: of x, whose last size becomes each weight's out.
std::vector<torch::Tensor> multiply(const torch::Tensor& codes, const InputScale& scale,
                                    const QuantizedGroup& group, torch::IntArrayRef shape,
                                    torch::ScalarType dtype);

/// Gradient of the quantized input, [rows, in], 0 where in_range (see quantize.h; may be undefined)
/// has a 0. Undefined if no y has a gradient.
torch::Tensor input_gradient(const std::vector<torch::Tensor>& grads, QuantizedGroup& group,
                             const torch::Tensor& in_range = {});

/// Gradients of group.trained(), float32, in that order. A weight's is y's gradient times the
/// dequantized input, multiplied in the gradient's dtype. It passes straight through the rounding,
/// which saturates nothing; that the scale follows the largest value is left out. A bias's is the
/// sum over rows. Undefined unless wanted(position) and y has a gradient.
std::vector<torch::Tensor> trained_gradients(const std::vector<torch::Tensor>& grads,
                                             const torch::Tensor& codes, const InputScale& scale,
                                             const QuantizedGroup& group,
                                             const std::function<bool(std::size_t)>& wanted);

}  // namespace dualpath::quant
