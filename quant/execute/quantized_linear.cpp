#include "quant/execute/quantized_linear.h"

#include <torch/autograd.h>

#include <cmath>

#include "modules/ops/held.h"
#include "quant/ops/mask_gradient.h"
#include "quant/ops/quantize.h"
#include "quant/ops/quantize_rows.h"

namespace dualpath::quant {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// d loss / d scale: a value in range moves with its rounding error, a saturated one with its end
/// of the grid.
Tensor gradient_of_scale(const Tensor& grad, const Tensor& x, const Tensor& scale, Grid grid) {
  const Tensor levels = x.to(torch::kFloat) / scale;
  const Tensor rounded = levels.round(), saturated = rounded.clamp(grid.qmin, grid.qmax);
  const Tensor slope = torch::where(rounded == saturated, rounded - levels, saturated);
  const double lsq = 1.0 / std::sqrt(static_cast<double>(x.size(-1)) * grid.qmax);
  return ((grad.to(torch::kFloat) * slope).sum() * lsq).reshape({1});
}

/// Passes gradients straight through quantization, exactly through the integer product. `trained`
/// shows autograd the group's trained tensors.
struct QuantizedLinear : torch::autograd::Function<QuantizedLinear> {
  static variable_list forward(AutogradContext* ctx, const Tensor& x, const Tensor& scale,
                               at::TensorList trained,
                               const std::shared_ptr<QuantizedGroup>& group) {
    const Tensor rows = x.reshape({-1, x.size(-1)});
    const bool trains_scale = scale.requires_grad();
    const Codes codes = quantize(rows, group->input_grid(), scale, group->site, x.requires_grad());
    ctx->set_materialize_grads(false);
    ctx->save_for_backward({codes.in_range, trains_scale ? rows : Tensor(),
                            trained.empty() ? Tensor() : codes.values, scale});
    ctx->saved_data["sizes"] = x.sizes();
    ctx->saved_data["group"] = modules::held(group);
    return multiply(codes.values, InputScale::shared(scale), *group, x.sizes(), x.scalar_type());
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    constexpr std::size_t kTrained = 2;  // behind x and scale
    const variable_list saved = ctx->get_saved_variables();
    const Tensor& scale = saved[3];
    QuantizedGroup& group = modules::held_in<QuantizedGroup>(ctx->saved_data["group"]);
    variable_list results(kTrained);
    if (ctx->needs_input_grad(0) || ctx->needs_input_grad(1)) {
      const Tensor &in_range = saved[0], &rows = saved[1];
      const bool trains_scale = rows.defined();  // saturated values train it, too
      const Tensor grad = input_gradient(grads, group, trains_scale ? Tensor() : in_range);
      if (grad.defined() && trains_scale) {
        results[1] = gradient_of_scale(grad, rows, scale, activation_grid(1.0f, group.input_bits));
        if (in_range.defined()) mask_gradient(grad, in_range);
      }
      if (grad.defined() && ctx->needs_input_grad(0))
        results[0] = grad.view(ctx->saved_data["sizes"].toIntVector());
    }
    const auto wanted = [&](std::size_t i) { return ctx->needs_input_grad(kTrained + i); };
    for (Tensor& grad :
         trained_gradients(grads, saved[2], InputScale::shared(scale), group, wanted))
      results.push_back(std::move(grad));
    results.emplace_back();
    return results;
  }
};

struct TokenQuantizedLinear : torch::autograd::Function<TokenQuantizedLinear> {
  static variable_list forward(AutogradContext* ctx, const Tensor& x, at::TensorList trained,
                               const std::shared_ptr<QuantizedGroup>& group) {
    const Tensor rows = x.reshape({-1, x.size(-1)});
    const ScaledCodes codes = quantize_tokens(rows, group->input_grid(), group->site);
    ctx->set_materialize_grads(false);
    if (!trained.empty()) ctx->save_for_backward({codes.values, codes.scale});
    ctx->saved_data["sizes"] = x.sizes();
    ctx->saved_data["group"] = modules::held(group);
    return multiply(codes.values, codes.scale, *group, x.sizes(), x.scalar_type());
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    constexpr std::size_t kTrained = 1;  // behind x
    QuantizedGroup& group = modules::held_in<QuantizedGroup>(ctx->saved_data["group"]);
    variable_list results(kTrained);
    if (ctx->needs_input_grad(0)) {
      const Tensor grad = input_gradient(grads, group);
      if (grad.defined()) results[0] = grad.view(ctx->saved_data["sizes"].toIntVector());
    }
    const variable_list saved = ctx->get_saved_variables();
    if (!saved.empty()) {
      const auto wanted = [&](std::size_t i) { return ctx->needs_input_grad(kTrained + i); };
      for (Tensor& grad : trained_gradients(grads, saved[0], saved[1], group, wanted))
        results.push_back(std::move(grad));
    }
    results.emplace_back();
    return results;
  }
};

}  // namespace

std::vector<Tensor> quantized_linear(const Tensor& x, const Tensor& scale,
                                     const std::shared_ptr<QuantizedGroup>& group) {
  const std::vector<Tensor> trained = group->trained();
  return QuantizedLinear::apply(x, scale, at::TensorList(trained), group);
}

std::vector<Tensor> token_quantized_linear(const Tensor& x,
                                           const std::shared_ptr<QuantizedGroup>& group) {
  const std::vector<Tensor> trained = group->trained();
  return TokenQuantizedLinear::apply(x, at::TensorList(trained), group);
}

}  // namespace dualpath::quant
