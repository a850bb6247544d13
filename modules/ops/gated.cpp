#include "modules/ops/gated.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/autograd.h>

#include "modules/kernels/gated.h"
#include "modules/ops/kernel_call.h"
#include "modules/ops/on_device.h"

namespace dualpath::modules {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

GatedRows part(const Tensor& gate, const Tensor& up, std::int64_t begin, std::int64_t end) {
  return {element_of(gate.scalar_type()), element_at(gate, begin), element_at(up, begin),
          end - begin};
}

struct GatedSilu : torch::autograd::Function<GatedSilu> {
  static Tensor forward(AutogradContext* ctx, const Tensor& any_gate, const Tensor& any_up) {
    const Tensor gate = any_gate.contiguous(), up = any_up.contiguous();
    ctx->save_for_backward({gate, up});
    const Tensor y = at::empty_like(gate);
    const auto on_cpu = [&] {
      at::parallel_for(0, gate.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
        gated_silu_cpu(part(gate, up, begin, end), element_at(y, begin));
      });
    };
    const auto on_cuda = [&](void* stream) {
      gated_silu_cuda(part(gate, up, 0, gate.numel()), y.mutable_data_ptr(), stream);
    };
    on_device(gate, on_cpu, on_cuda);
    return y;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const variable_list saved = ctx->get_saved_variables();
    const Tensor &gate = saved[0], &up = saved[1], grad = grads[0].contiguous();
    const Tensor grad_gate = at::empty_like(gate), grad_up = at::empty_like(up);
    const auto on_cpu = [&] {
      at::parallel_for(0, gate.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
        gated_silu_backward_cpu(part(gate, up, begin, end), element_at(grad, begin),
                                element_at(grad_gate, begin), element_at(grad_up, begin));
      });
    };
    const auto on_cuda = [&](void* stream) {
      gated_silu_backward_cuda(part(gate, up, 0, gate.numel()), grad.const_data_ptr(),
                               grad_gate.mutable_data_ptr(), grad_up.mutable_data_ptr(), stream);
    };
    on_device(gate, on_cpu, on_cuda);
    return {grad_gate, grad_up};
  }
};

/// SiLU without a second factor, on the CPU.
struct Silu : torch::autograd::Function<Silu> {
  static Tensor forward(AutogradContext* ctx, const Tensor& any_x) {
    const Tensor x = any_x.contiguous(), y = at::empty_like(x);
    ctx->save_for_backward({x});
    at::parallel_for(0, x.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
      gated_silu_cpu(alone(x, begin, end), element_at(y, begin));
    });
    return y;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const Tensor x = ctx->get_saved_variables()[0], grad = grads[0].contiguous(),
                 of_x = at::empty_like(x);
    at::parallel_for(0, x.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
      gated_silu_backward_cpu(alone(x, begin, end), element_at(grad, begin),
                              element_at(of_x, begin), nullptr);
    });
    return {of_x};
  }

 private:
  static GatedRows alone(const Tensor& x, std::int64_t begin, std::int64_t end) {
    return {element_of(x.scalar_type()), element_at(x, begin), nullptr, end - begin};
  }
};

}  // namespace

Tensor activated(Activation activation, const Tensor& x) {
  switch (activation) {
    case Activation::kSilu:
      return lies_on_host(x) ? Silu::apply(x) : at::silu(x);
    case Activation::kGelu:
      return at::gelu(x);
    case Activation::kGeluTanh:
      return at::gelu(x, "tanh");
    case Activation::kRelu:
      return at::relu(x);
  }
  TORCH_CHECK(false, "unknown activation");
}

Tensor gated(Activation activation, const Tensor& gate, const Tensor& up) {
  if (activation == Activation::kSilu) return GatedSilu::apply(gate, up);
  return activated(activation, gate) * up;
}

}  // namespace dualpath::modules
