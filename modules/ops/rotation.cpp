#include "modules/ops/rotation.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/autograd.h>

#include <algorithm>

#include "modules/kernels/rotation.h"
#include "modules/ops/kernel_call.h"
#include "modules/ops/on_device.h"

namespace dualpath::modules {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

Tensor turned(const Tensor& any_x, const RotationTable& table, bool back) {
  const Tensor x = any_x.contiguous();
  const Tensor y = at::empty_like(x);
  const std::int64_t heads = x.size(2), dim = x.size(3), half = table.cos.size(-1);
  const RotationRows all{element_of(x.scalar_type()),
                         x.const_data_ptr(),
                         table.cos.const_data_ptr<float>(),
                         table.sin.const_data_ptr<float>(),
                         x.size(0) * x.size(1),
                         heads,
                         dim,
                         2 * half,
                         table.interleaved,
                         back};
  const auto rotate_part = [&](std::int64_t begin, std::int64_t end) {
    RotationRows part = all;
    part.x = row_at(x, begin * heads);
    part.cos += begin * half;
    part.sin += begin * half;
    part.tokens = end - begin;
    rotate_cpu(part, row_at(y, begin * heads));
  };
  const auto on_cpu = [&] {
    at::parallel_for(0, all.tokens, rows_of_grain(heads * dim), rotate_part);
  };
  const auto on_cuda = [&](void* stream) { rotate_cuda(all, y.mutable_data_ptr(), stream); };
  on_device(x, on_cpu, on_cuda);
  return y;
}

struct Rotate : torch::autograd::Function<Rotate> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& cos, const Tensor& sin,
                        bool interleaved) {
    ctx->save_for_backward({cos, sin});
    ctx->saved_data["interleaved"] = interleaved;
    return turned(x, {cos, sin, interleaved}, /*back=*/false);
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const variable_list saved = ctx->get_saved_variables();
    const RotationTable table{saved[0], saved[1], ctx->saved_data["interleaved"].toBool()};
    return {turned(grads[0], table, /*back=*/true), Tensor(), Tensor(), Tensor()};
  }
};

/// Takes each section of the angles from the next of three: [3, B, T, dim / 2] -> [B, T, dim / 2].
Tensor by_sections(const Tensor& angles, const std::vector<std::int64_t>& sections) {
  std::vector<Tensor> parts = angles.split_with_sizes(sections, -1);
  for (std::size_t i = 0; i < parts.size(); ++i)
    parts[i] = parts[i].select(0, static_cast<std::int64_t>(i % 3));
  return at::cat(parts, -1);
}

}  // namespace

RotationTable rotation_table(const Rotation& rotation, const Tensor& positions) {
  const auto options = positions.options().dtype(at::kFloat);
  const Tensor exponent = at::arange(0, rotation.dim, 2, options) / double(rotation.dim);
  const Tensor frequency = at::pow(rotation.theta, exponent).reciprocal();
  const Tensor angles = positions.to(at::kFloat).unsqueeze(-1) * frequency;
  const Tensor angle = positions.dim() == 3 ? by_sections(angles, rotation.sections) : angles;
  return {angle.cos(), angle.sin(), rotation.interleaved};
}

Tensor rotate(const Tensor& x, const RotationTable& table) {
  return Rotate::apply(x, table.cos, table.sin, table.interleaved);
}

}  // namespace dualpath::modules
