#include "quant/norm_linear.h"

#include <torch/autograd.h>

#include "quant/tensor_kernels.h"

namespace dualpath::quant {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct NormQuantizedLinear : torch::autograd::Function<NormQuantizedLinear> {
  static variable_list forward(AutogradContext* ctx, const Tensor& any_x, const Tensor& weight,
                               double eps, double scale,
                               const std::shared_ptr<QuantizedGroup>& group) {
    const Tensor x = any_x.contiguous();
    const Grid grid = group->input_grid(static_cast<float>(scale));
    const NormCodes made = norm_quantize(x, weight, eps, grid, group->site);
    ctx->save_for_backward({x, weight, made.inverse_rms});
    ctx->saved_data["scale"] = scale;
    ctx->saved_data["group"] = held(group);
    return multiply(made.codes, grid.scale, *group, x.sizes(), x.scalar_type());
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const variable_list saved = ctx->get_saved_variables();
    QuantizedGroup& group = group_in(ctx->saved_data["group"]);
    const Tensor grad = input_gradient(grads, group);
    Tensor grad_x;
    if (grad.defined()) {
      const auto scale = static_cast<float>(ctx->saved_data["scale"].toDouble());
      grad_x = norm_quantize_gradient(grad, saved[0], saved[1], saved[2], group.input_grid(scale));
    }
    return {grad_x, Tensor(), Tensor(), Tensor(), Tensor()};
  }
};

}  // namespace

std::vector<Tensor> norm_quantized_linear(const Tensor& x, const Tensor& weight, double eps,
                                          float scale,
                                          const std::shared_ptr<QuantizedGroup>& group) {
  return NormQuantizedLinear::apply(x, weight.contiguous(), eps, static_cast<double>(scale), group);
}

}  // namespace dualpath::quant
