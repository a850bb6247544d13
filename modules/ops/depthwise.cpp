#include "modules/ops/depthwise.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/autograd.h>

#include <algorithm>
#include <optional>

#include "modules/kernels/depthwise.h"
#include "modules/ops/kernel_call.h"
#include "modules/ops/on_device.h"
#include "modules/ops/optional_tensor.h"

namespace dualpath::modules {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// x: [B, T, C], contiguous; taps: [kernel, C] float32. Result: [B, T + 2 * padding - kernel + 1,
/// C].
Tensor convolved(const Tensor& x, const Tensor& taps, const Tensor& bias, std::int64_t padding) {
  const std::int64_t clips = x.size(0), time = x.size(1);
  const std::int64_t made = time + 2 * padding - taps.size(0) + 1;
  const Tensor y = at::empty({clips, made, x.size(2)}, x.options());
  const DepthwiseTaps of{taps.const_data_ptr<float>(),
                         bias.defined() ? bias.const_data_ptr<float>() : nullptr, taps.size(0),
                         x.size(2), padding};
  constexpr std::int64_t kBlock = 64;  // moments a thread takes at a time
  const std::int64_t blocks = (made + kBlock - 1) / kBlock;
  at::parallel_for(0, clips * blocks, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t clip = i / blocks, first = i % blocks * kBlock;
      depthwise_cpu(element_of(x.scalar_type()), of, row_at(x, clip * time), time, first,
                    std::min(first + kBlock, made), row_at(y, clip * made));
    }
  });
  return y;
}

/// Taps of a weight: [C, 1, kernel] -> [kernel, C].
Tensor taps_of(const Tensor& weight) { return weight.squeeze(1).t().to(at::kFloat).contiguous(); }

struct Depthwise : torch::autograd::Function<Depthwise> {
  static Tensor forward(AutogradContext* ctx, const Tensor& any_x, const Tensor& weight,
                        const std::optional<Tensor>& bias, std::int64_t padding) {
    const Tensor x = any_x.contiguous();
    const bool trains = weight.requires_grad() || (bias && bias->requires_grad());
    ctx->save_for_backward({trains ? x : Tensor(), weight});
    ctx->saved_data["padding"] = padding;
    ctx->saved_data["has_bias"] = bias.has_value();
    return convolved(x, taps_of(weight), bias ? bias->to(at::kFloat) : Tensor(), padding);
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const variable_list saved = ctx->get_saved_variables();
    const Tensor grad = grads[0].contiguous(), &x = saved[0], &weight = saved[1];
    const std::int64_t padding = ctx->saved_data["padding"].toInt(), kernel = weight.size(2);
    Tensor of_x, of_weight, of_bias;
    if (ctx->needs_input_grad(0))
      of_x = convolved(grad, taps_of(weight).flip(0), /*bias=*/{}, kernel - 1 - padding);
    if (x.defined())
      std::tie(std::ignore, of_weight, of_bias) = at::convolution_backward(
          grad.transpose(1, 2), x.transpose(1, 2), weight, at::IntArrayRef(weight.size(0)),
          /*stride=*/{1}, {padding}, /*dilation=*/{1}, /*transposed=*/false,
          /*output_padding=*/{0}, /*groups=*/weight.size(0),
          {false, true, ctx->saved_data["has_bias"].toBool()});
    return {of_x, of_weight, of_bias, Tensor()};
  }
};

}  // namespace

bool is_depthwise(const ConvRef& ref, const Tensor& x) {
  const bool is_float = x.scalar_type() != at::kDouble && at::isFloatingType(x.scalar_type());
  return lies_on_host(x) && is_float && ref.kernel.size() == 1 && ref.groups == ref.in_channels &&
         ref.in_channels == ref.out_channels && ref.stride.front() == 1 &&
         ref.padding.front() < ref.kernel.front();
}

Tensor depthwise(const ConvRef& ref, const Tensor& x, const Tensor& weight, const Tensor& bias) {
  return Depthwise::apply(x.transpose(1, 2), weight, optional_of(bias), ref.padding.front())
      .transpose(1, 2);
}

}  // namespace dualpath::modules
