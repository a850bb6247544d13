#include "quant/execute/norm_linear.h"

#include <torch/autograd.h>

#include "modules/ops/held.h"
#include "quant/ops/norm_quantize.h"

namespace dualpath::quant {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct NormQuantizedLinear : torch::autograd::Function<NormQuantizedLinear> {
  static variable_list forward(AutogradContext* ctx, const Tensor& any_x, at::TensorList trained,
                               const Tensor& weight, double eps, const Tensor& scale,
                               const std::shared_ptr<QuantizedGroup>& group) {
    const Tensor x = any_x.contiguous();
    const NormCodes made = norm_quantize(x, weight, eps, group->input_grid(), scale, group->site);
    ctx->set_materialize_grads(false);
    ctx->save_for_backward(
        {x, weight, made.inverse_rms, scale, trained.empty() ? Tensor() : made.codes});
    ctx->saved_data["group"] = modules::held(group);
    return multiply(made.codes, InputScale::shared(scale), *group, x.sizes(), x.scalar_type());
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    constexpr std::size_t kTrained = 1, kRest = 4;  // behind x; weight, eps, scale and group
    const variable_list saved = ctx->get_saved_variables();
    const Tensor& scale = saved[3];
    QuantizedGroup& group = modules::held_in<QuantizedGroup>(ctx->saved_data["group"]);
    variable_list results(kTrained);
    if (ctx->needs_input_grad(0)) {
      const Tensor grad = input_gradient(grads, group);
      if (grad.defined())
        results[0] =
            norm_quantize_gradient(grad, saved[0], saved[1], saved[2], group.input_grid(), scale);
    }
    const auto wanted = [&](std::size_t i) { return ctx->needs_input_grad(kTrained + i); };
    for (Tensor& grad :
         trained_gradients(grads, saved[4], InputScale::shared(scale), group, wanted))
      results.push_back(std::move(grad));
    results.resize(results.size() + kRest);
    return results;
  }
};

}  // namespace

std::vector<Tensor> norm_quantized_linear(const Tensor& x, const Tensor& weight, double eps,
                                          const Tensor& scale,
                                          const std::shared_ptr<QuantizedGroup>& group) {
  const std::vector<Tensor> trained = group->trained();
  return NormQuantizedLinear::apply(x, at::TensorList(trained), weight.contiguous(), eps, scale,
                                    group);
}

}  // namespace dualpath::quant
