#include "modules/ops/norm.h"

#include <ATen/ATen.h>
#include <torch/autograd.h>

#include "modules/ops/kernel_call.h"
#include "modules/ops/norm_call.h"
#include "modules/ops/on_device.h"

namespace dualpath::modules {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

Tensor forward(const Tensor& x, const Tensor& weight, float eps, const Tensor& inverse_rms) {
  const NormRows in = norm_rows_of(x, weight);
  const Tensor y = at::empty_like(x);
  auto* inverse = inverse_rms.mutable_data_ptr<float>();
  const auto on_cpu = [&] {
    for_norm_rows(in, x, [&](const NormRows& rows, std::int64_t begin) {
      rms_norm_cpu(rows, eps, row_at(y, begin), inverse + begin);
    });
  };
  const auto on_cuda = [&](void* stream) {
    rms_norm_cuda(in, eps, y.mutable_data_ptr(), inverse, stream);
  };
  on_device(x, on_cpu, on_cuda);
  return y;
}

Tensor gradient_of_x(const Tensor& grad, const Tensor& x, const Tensor& weight,
                     const Tensor& inverse_rms) {
  const NormRows in = norm_rows_of(x, weight);
  const Tensor grad_x = at::empty_like(x);
  const auto* inverse = inverse_rms.const_data_ptr<float>();
  const auto on_cpu = [&] {
    for_norm_rows(in, x, [&](const NormRows& rows, std::int64_t begin) {
      rms_norm_backward_cpu(rows, inverse + begin, row_at(grad, begin), row_at(grad_x, begin));
    });
  };
  const auto on_cuda = [&](void* stream) {
    rms_norm_backward_cuda(in, inverse, grad.const_data_ptr(), grad_x.mutable_data_ptr(), stream);
  };
  on_device(x, on_cpu, on_cuda);
  return grad_x;
}

Tensor gradient_of_weight(const Tensor& grad, const Tensor& x, const Tensor& inverse_rms) {
  const Tensor slope = grad.to(at::kFloat) * x.to(at::kFloat) * inverse_rms.unsqueeze(-1);
  return slope.reshape({-1, x.size(-1)}).sum(0);
}

struct RmsNorm : torch::autograd::Function<RmsNorm> {
  static Tensor forward(AutogradContext* ctx, const Tensor& any_x, const Tensor& weight,
                        double eps) {
    const Tensor x = any_x.contiguous();
    const Tensor inverse_rms =
        at::empty(x.sizes().slice(0, x.dim() - 1), x.options().dtype(at::kFloat));
    const Tensor y = modules::forward(x, weight, static_cast<float>(eps), inverse_rms);
    ctx->save_for_backward({x, weight, inverse_rms});
    return y;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const variable_list saved = ctx->get_saved_variables();
    const Tensor grad = grads[0].contiguous();
    Tensor of_x, of_weight;
    if (ctx->needs_input_grad(0)) of_x = gradient_of_x(grad, saved[0], saved[1], saved[2]);
    if (ctx->needs_input_grad(1)) of_weight = gradient_of_weight(grad, saved[0], saved[2]);
    return {of_x, of_weight, Tensor()};
  }
};

}  // namespace

Tensor rms_norm(const Tensor& x, const Tensor& weight, double eps) {
  return RmsNorm::apply(x, weight.contiguous(), eps);
}

Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
  if (lies_on_host(x) || x.scalar_type() == at::kFloat)
    return at::layer_norm(x, weight.sizes(), weight, bias, eps);
  return at::layer_norm(x.to(at::kFloat), weight.sizes(), weight, bias, eps).to(x.scalar_type());
}

Tensor frozen_batch_norm(const Tensor& x, const FrozenStatistics& norm, double eps) {
  const Tensor y = at::batch_norm(x.reshape({-1, x.size(-1)}), norm.weight, norm.bias, norm.mean,
                                  norm.variance, /*training=*/false, /*momentum=*/0.0, eps,
                                  /*cudnn_enabled=*/true);
  return y.view(x.sizes());
}

}  // namespace dualpath::modules
