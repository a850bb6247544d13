#include "quant/quantized_linear.h"

#include <torch/autograd.h>

#include <cmath>

#include "quant/integer_linear.h"
#include "quant/tensor_kernels.h"

namespace dualpath::quant {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// d loss / d scale: a value in range moves with its rounding error, a saturated one with its end
/// of the grid.
Tensor scale_gradient(const Tensor& grad, const Tensor& x, Grid grid) {
  const Tensor levels = x.to(torch::kFloat) / grid.scale;
  const Tensor rounded = levels.round(), saturated = rounded.clamp(grid.qmin, grid.qmax);
  const Tensor slope = torch::where(rounded == saturated, rounded - levels, saturated);
  const double lsq = 1.0 / std::sqrt(static_cast<double>(x.size(-1)) * grid.qmax);
  return ((grad.to(torch::kFloat) * slope).sum() * lsq).reshape({1});
}

/// Straight through quantization, exact through the integer product. The last argument carries
/// weights, which autograd does not see.
struct QuantizedLinear : torch::autograd::Function<QuantizedLinear> {
  static variable_list forward(AutogradContext* ctx, const Tensor& x, const Tensor& scale,
                               const std::shared_ptr<QuantizedGroup>& group) {
    const Tensor rows = x.reshape({-1, x.size(-1)});
    const Grid grid = group->input_grid(scale.item<float>());
    const bool trains_scale = scale.requires_grad();
    const Codes codes = quantize(rows, grid, group->site, x.requires_grad() || trains_scale);
    ctx->save_for_backward({codes.in_range, trains_scale ? rows : Tensor()});
    ctx->saved_data["scale"] = static_cast<double>(grid.scale);
    ctx->saved_data["sizes"] = x.sizes();
    ctx->saved_data["group"] = held(group);
    return multiply(codes.values, grid.scale, *group, x.sizes(), x.scalar_type());
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const variable_list saved = ctx->get_saved_variables();
    const Tensor &in_range = saved[0], &rows = saved[1];
    const auto sizes = ctx->saved_data["sizes"].toIntVector();
    const Tensor grad = input_gradient(grads, group_in(ctx->saved_data["group"]));
    if (!grad.defined()) return {Tensor(), Tensor(), Tensor()};
    Tensor grad_scale;
    if (rows.defined()) {
      const Grid grid = activation_grid(static_cast<float>(ctx->saved_data["scale"].toDouble()));
      grad_scale = scale_gradient(grad, rows, grid);
    }
    return {mask_gradient(grad, in_range).view(sizes), grad_scale, Tensor()};
  }
};

struct Holder : torch::CustomClassHolder {
  explicit Holder(std::shared_ptr<QuantizedGroup> held) : group(std::move(held)) {}
  std::shared_ptr<QuantizedGroup> group;
};

}  // namespace

const std::vector<Tensor>& QuantizedGroup::dequantized_in(torch::ScalarType dtype) {
  if (dequantized.empty() || dequantized.front().scalar_type() != dtype) {
    dequantized.clear();
    for (const QuantizedWeight& weight : weights) dequantized.push_back(weight.dequantized(dtype));
  }
  return dequantized;
}

c10::IValue held(std::shared_ptr<QuantizedGroup> group) {
  return c10::IValue::make_capsule(c10::make_intrusive<Holder>(std::move(group)));
}

QuantizedGroup& group_in(const c10::IValue& value) {
  return *static_cast<Holder&>(*value.toCapsule()).group;
}

std::vector<Tensor> multiply(const Tensor& codes, float scale, const QuantizedGroup& group,
                             torch::IntArrayRef shape, torch::ScalarType dtype) {
  std::vector<std::int64_t> sizes = shape.vec();
  std::vector<Tensor> results;
  for (const QuantizedWeight& weight : group.weights) {
    sizes.back() = weight.codes.size(0);
    results.push_back(integer_linear(codes, scale, weight, dtype).view(sizes));
  }
  return results;
}

Tensor input_gradient(const std::vector<Tensor>& grads, QuantizedGroup& group) {
  Tensor sum;
  for (std::size_t i = 0; i < grads.size(); ++i) {
    if (!grads[i].defined()) continue;
    const Tensor flat = grads[i].reshape({-1, grads[i].size(-1)});
    const Tensor& weight = group.dequantized_in(flat.scalar_type())[i];
    if (sum.defined()) {
      sum.addmm_(flat, weight);
    } else {
      sum = flat.matmul(weight);
    }
  }
  return sum;
}

Tensor QuantizedWeight::dequantized(torch::ScalarType dtype) const {
  return dequantize(codes, scale, dtype);
}

QuantizedWeight quantize_weight(const Tensor& source, const std::string& site) {
  const bool is_short = at::isReducedFloatingType(source.scalar_type());
  const Tensor values = is_short ? source : source.to(torch::kFloat);
  const ScaledCodes made = quantize_channels(values.detach(), site);
  return {made.values, made.scale, {}, {}};
}

std::vector<Tensor> quantized_linear(const Tensor& x, const Tensor& scale,
                                     const std::shared_ptr<QuantizedGroup>& group) {
  return QuantizedLinear::apply(x, scale, group);
}

}  // namespace dualpath::quant
