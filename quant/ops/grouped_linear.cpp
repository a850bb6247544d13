#include "quant/ops/grouped_linear.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "modules/ops/kernel_call.h"
#include "modules/ops/on_device.h"
#include "quant/kernels/grouped_product.h"
#include "quant/ops/integer_sums.h"

namespace dualpath::quant {
namespace {

using at::Tensor;

std::int64_t panel_bytes(const GroupPanels& panels) {
  const auto sides = static_cast<std::int64_t>(sizeof(float) + sizeof(std::int32_t));
  return panels.panels() * kPanel * (panels.inputs + panels.groups() * sides);
}

/// A weight's panels without memory of their own. scale: [outputs, groups].
GroupPanels panels_without_data(std::int64_t inputs, const Tensor& scale) {
  return {.outputs = scale.size(0),
          .inputs = inputs,
          .group_size = inputs / scale.size(1),
          .codes = nullptr,
          .scale = nullptr,
          .offset = nullptr};
}

/// Codes, scales and offsets in one run of bytes.
GroupPanels panels_in(const Tensor& data, std::int64_t inputs, const Tensor& scale) {
  GroupPanels panels = panels_without_data(inputs, scale);
  const std::int64_t rows = panels.panels() * kPanel;
  panels.codes = data.data_ptr<std::int8_t>();
  panels.scale = reinterpret_cast<float*>(panels.codes + rows * inputs);
  panels.offset = reinterpret_cast<std::int32_t*>(panels.scale + rows * panels.groups());
  return panels;
}

/// Rows begin .. begin + rows of `in`.
GroupedRows part_of(GroupedRows in, std::int64_t inputs, std::int64_t begin, std::int64_t rows) {
  in.codes += begin * inputs;
  in.rows = rows;
  if (in.scale.values) in.scale.values += begin * in.scale.step;
  return in;
}

/// Threads take a panel of a chunk of rows at a time. Few rows are split by panels, many by both.
Tensor by_panels(const Tensor& any_codes, const InputScale& scale, const PreparedWeight& weight,
                 const Tensor& bias, at::ScalarType dtype) {
  constexpr std::int64_t kRows = 192;
  const Tensor codes = any_codes.contiguous();
  const GroupPanels panels = panels_in(weight.data, codes.size(1), weight.scale);
  const GroupedRows all{.codes = codes.const_data_ptr<std::uint8_t>(),
                        .rows = codes.size(0),
                        .scale = scale.view(),
                        .bias = bias.defined() ? bias.const_data_ptr<float>() : nullptr};
  const Tensor y = at::empty({all.rows, panels.outputs}, codes.options().dtype(dtype));
  const data::Element element = modules::element_of(dtype);
  const std::int64_t chunks = (all.rows + kRows - 1) / kRows;
  at::parallel_for(0, chunks * panels.panels(), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t row = i / panels.panels() * kRows, panel = i % panels.panels();
      const GroupedRows part = part_of(all, panels.inputs, row, std::min(kRows, all.rows - row));
      grouped_product_cpu(part, panels, panel, panel + 1, element, modules::row_at(y, row));
    }
  });
  return y;
}

/// CUDA's kernel. Inline: a build without CUDA must not ask the linker for it.
inline Tensor by_quads(const Tensor& any_codes, const InputScale& scale,
                       const PreparedWeight& weight, const Tensor& bias, at::ScalarType dtype,
                       void* stream) {
  const Tensor codes = any_codes.contiguous(), weight_codes = weight.data.contiguous(),
               weight_scale = weight.scale.contiguous();
  const Tensor y =
      at::empty({codes.size(0), weight.outputs()}, weight_scale.options().dtype(dtype));
  const GroupedCodes product{.x = codes.const_data_ptr<std::int8_t>(),
                             .weight = weight_codes.const_data_ptr<std::int8_t>(),
                             .weight_scale = weight_scale.const_data_ptr<float>(),
                             .rows = codes.size(0),
                             .outputs = weight.outputs(),
                             .inputs = codes.size(1),
                             .group_size = codes.size(1) / weight_scale.size(1),
                             .scale = scale.view(),
                             .bias = bias.defined() ? bias.const_data_ptr<float>() : nullptr};
  grouped_product_cuda(product, modules::element_of(dtype), y.mutable_data_ptr(), stream);
  return y;
}

Tensor portably(const Tensor& codes, const InputScale& scale, const PreparedWeight& weight,
                const Tensor& bias, at::ScalarType dtype) {
  const std::int64_t groups = weight.scale.size(1), size = codes.size(1) / groups;
  const Tensor input_scale = scale.rows.defined()
                                 ? scale.rows.unsqueeze(1)
                                 : at::full({1, 1}, scale.value, weight.scale.options());
  Tensor y = at::zeros({codes.size(0), weight.outputs()}, weight.scale.options());
  for (std::int64_t group = 0; group < groups; ++group) {
    const auto columns = [&](const Tensor& all) {
      return all.narrow(1, group * size, size).contiguous();
    };
    const Tensor sums = integer_sums(columns(codes), columns(weight.data));
    y.add_(sums.to(at::kFloat).mul_(input_scale * weight.scale.select(1, group)));
  }
  if (bias.defined()) y.add_(bias);
  return y.to(dtype);
}

}  // namespace

void prepare_panels(const GridWeight& weight, Tensor& data) {
  const Tensor codes = weight.codes.contiguous(), scale = weight.scale.contiguous();
  const std::int64_t inputs = codes.size(1);
  if (!data.defined())
    data = at::empty({panel_bytes(panels_without_data(inputs, scale))}, at::kChar);
  const GroupPanels panels = panels_in(data, inputs, scale);
  at::parallel_for(0, panels.panels(), 1, [&](std::int64_t begin, std::int64_t end) {
    prepare_groups_cpu(codes.const_data_ptr<std::int8_t>(), scale.const_data_ptr<float>(), begin,
                       end, panels);
  });
}

Tensor grouped_linear(const Tensor& codes, const InputScale& input_scale,
                      const PreparedWeight& weight, const Tensor& bias, at::ScalarType dtype) {
  if (weight.kind == WeightKind::kPanels) return by_panels(codes, input_scale, weight, bias, dtype);
  const auto anywhere = [&] { return portably(codes, input_scale, weight, bias, dtype); };
  if (codes.size(1) / weight.scale.size(1) % kQuad != 0) return anywhere();
  return modules::on_device(codes, anywhere, [&](void* stream) {
    return by_quads(codes, input_scale, weight, bias, dtype, stream);
  });
}

std::string grouped_kernel(Compute compute, at::Device device) {
  if (device.is_cuda()) return "a kernel of ours (dp4a)";
  const bool has_vectors = device.is_cpu() && compute == Compute::kInteger && has_grouped_product();
  return has_vectors ? "a kernel of ours" : integer_sums_route(device.type()) + ", group by group";
}

}  // namespace dualpath::quant
