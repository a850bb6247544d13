#include "quant/execute/quantized_group.h"

#include <torch/torch.h>

#include <algorithm>

#include "quant/ops/dequantize.h"
#include "quant/ops/integer_linear.h"
#include "quant/ops/mask_gradient.h"

namespace dualpath::quant {
namespace {

using modules::RightOperand;
using torch::Tensor;

Tensor rows_of(const Tensor& grad) { return grad.reshape({-1, grad.size(-1)}); }

/// Gradients of all weights' outputs as rows; zeros if y has no gradient. At least one has.
std::vector<Tensor> rows_of(const std::vector<Tensor>& grads,
                            const std::vector<QuantizedWeight>& weights) {
  const Tensor like = rows_of(*std::ranges::find_if(grads, &Tensor::defined));
  std::vector<Tensor> rows;
  for (std::size_t i = 0; i < grads.size(); ++i) {
    rows.push_back(grads[i].defined()
                       ? rows_of(grads[i])
                       : at::zeros({like.size(0), weights[i].outputs()}, like.options()));
  }
  return rows;
}

/// An input's values as factors of a weight's gradient. If all rows have one scale, it is left for
/// later, and the codes are exact in every float dtype. Otherwise the values are scaled.
Tensor factors(const Tensor& codes, const InputScale& scale, torch::ScalarType dtype) {
  const Tensor one = scale.is_shared ? torch::ones({1}, codes.device()) : scale.rows;
  return dequantize(codes, one, dtype);
}

RightOperand transposed(const QuantizedWeight& weight, torch::ScalarType dtype) {
  const Tensor matrix = weight.grid->dequantized(dtype).t();
  return weight.is_trained() ? RightOperand::plain(matrix) : RightOperand::prepared(matrix);
}

Tensor weight_gradient(const Tensor& grad, const Tensor& factors, const InputScale& scale) {
  Tensor product = grad.t().matmul(factors).to(torch::kFloat);
  if (!scale.is_shared) return product;
  return scale.rows.defined() ? product.mul_(scale.rows) : product.mul_(scale.value);
}

Tensor float_input_gradient(const std::vector<Tensor>& grads, QuantizedGroup& group) {
  Tensor sum;
  for (std::size_t i = 0; i < grads.size(); ++i) {
    if (!grads[i].defined()) continue;
    const Tensor flat = rows_of(grads[i]);
    const RightOperand& weight = group.dequantized_in(flat.scalar_type())[i];
    if (sum.defined()) {
      weight.add_product(flat, sum);
    } else {
      sum = weight.multiply(flat);
    }
  }
  return sum;
}

}  // namespace

bool QuantizedGroup::takes_unsigned() const {
  return quant::takes_unsigned(weights.front().prepared.kind);
}

const std::vector<RightOperand>& QuantizedGroup::dequantized_in(torch::ScalarType dtype) {
  if (dequantized.empty() || dequantized_dtype != dtype) {
    dequantized.clear();
    for (const QuantizedWeight& weight : weights) dequantized.push_back(transposed(weight, dtype));
    dequantized_dtype = dtype;
  }
  return dequantized;
}

const std::vector<Tensor>& QuantizedGroup::values_in(torch::ScalarType dtype) {
  const auto is_other = [&](const Tensor& kept) {
    return kept.defined() && kept.scalar_type() != dtype;
  };
  if (values.empty() || std::any_of(values.begin(), values.end(), is_other)) {
    values.clear();
    for (const QuantizedWeight& weight : weights)
      values.push_back(weight.is_trained() ? Tensor() : weight.grid->dequantized(dtype));
  }
  return values;
}

bool QuantizedGroup::has_integer_gradients() const {
  return input_gradients == InputGradients::kInt8 &&
         std::ranges::none_of(weights, &QuantizedWeight::is_trained);
}

const TransposedCodes& QuantizedGroup::transposed_codes() {
  if (!transposes) transposes = quant::transposed_codes(weights);
  return *transposes;
}

std::vector<Tensor> QuantizedGroup::trained() const {
  std::vector<Tensor> tensors;
  for (const QuantizedWeight& weight : weights) {
    if (weight.is_trained()) tensors.push_back(weight.source);
    if (weight.trains_bias()) tensors.push_back(weight.bias);
  }
  return tensors;
}

void QuantizedGroup::set(std::size_t index, std::shared_ptr<const GridWeight> codes,
                         WeightKind kind) {
  QuantizedWeight& weight = weights[index];
  if (!weight.set(std::move(codes), kind)) return;
  if (!dequantized.empty()) dequantized[index] = transposed(weight, dequantized_dtype);
  values.clear();
  transposes.reset();
}

std::vector<Tensor> multiply(const Tensor& codes, const InputScale& scale,
                             const QuantizedGroup& group, torch::IntArrayRef shape,
                             torch::ScalarType dtype) {
  std::vector<std::int64_t> sizes = shape.vec();
  std::vector<Tensor> results;
  for (const QuantizedWeight& weight : group.weights) {
    sizes.back() = weight.outputs();
    results.push_back(
        integer_linear(codes, scale, weight.prepared, weight.bias, dtype).view(sizes));
  }
  return results;
}

Tensor input_gradient(const std::vector<Tensor>& grads, QuantizedGroup& group,
                      const Tensor& in_range) {
  if (std::ranges::none_of(grads, &Tensor::defined)) return {};
  if (group.has_integer_gradients())
    return integer_input_gradient(rows_of(grads, group.weights), group.transposed_codes(),
                                  in_range);
  const Tensor sum = float_input_gradient(grads, group);
  if (in_range.defined()) mask_gradient(sum, in_range);
  return sum;
}

std::vector<Tensor> trained_gradients(const std::vector<Tensor>& grads, const Tensor& codes,
                                      const InputScale& scale, const QuantizedGroup& group,
                                      const std::function<bool(std::size_t)>& wanted) {
  std::vector<Tensor> results;
  const auto add = [&](const Tensor& grad, const auto& gradient) {
    const bool is_needed = grad.defined() && wanted(results.size());
    results.push_back(is_needed ? gradient(rows_of(grad)) : Tensor());
  };
  Tensor input;  // made for the first weight that asks
  const auto of_weight = [&](const Tensor& grad) {
    if (!input.defined()) input = factors(codes, scale, grad.scalar_type());
    return weight_gradient(grad, input, scale);
  };
  const auto of_bias = [](const Tensor& grad) { return grad.sum(0, false, torch::kFloat); };
  for (std::size_t i = 0; i < grads.size(); ++i) {
    if (group.weights[i].is_trained()) add(grads[i], of_weight);
    if (group.weights[i].trains_bias()) add(grads[i], of_bias);
  }
  return results;
}

}  // namespace dualpath::quant
