#include "quant/ops/grouped_linear.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "modules/ops/kernel_call.h"
#include "quant/kernels/grouped_product.h"
#include "quant/ops/integer_sums.h"

namespace dualpath::quant {
namespace {

using at::Tensor;

/// Codes, scales and offsets as one run of bytes.
PackedGroups packed_groups(const QuantizedWeight& weight, std::int8_t* bytes) {
  PackedGroups packed{weight.codes.size(0),
                      weight.codes.size(1),
                      weight.codes.size(1) / weight.scale.size(1),
                      bytes,
                      nullptr,
                      nullptr};
  const std::int64_t rows = packed.panels() * kPanel;
  packed.scale = reinterpret_cast<float*>(bytes + rows * packed.inputs);
  packed.offset = reinterpret_cast<std::int32_t*>(packed.scale + rows * packed.groups());
  return packed;
}

std::int64_t bytes_of(const PackedGroups& packed) {
  const auto sides = static_cast<std::int64_t>(sizeof(float) + sizeof(std::int32_t));
  return packed.panels() * kPanel * (packed.inputs + packed.groups() * sides);
}

PackedGroups packed_groups(const QuantizedWeight& weight) {
  return packed_groups(weight, weight.packed.data_ptr<std::int8_t>());
}

GroupedRows rows_of(const Tensor& codes, const InputScale& scale, const Tensor& bias) {
  GroupedRows in{codes.const_data_ptr<std::uint8_t>(),
                 codes.size(0),
                 {.value = scale.tensor},
                 bias.defined() ? bias.const_data_ptr<float>() : nullptr};
  if (scale.rows.defined()) in.scale = {.values = scale.rows.const_data_ptr<float>(), .step = 1};
  return in;
}

/// Some of the rows.
GroupedRows part_of(GroupedRows in, std::int64_t inputs, std::int64_t begin, std::int64_t rows) {
  in.codes += begin * inputs;
  in.rows = rows;
  if (in.scale.values) in.scale.values += begin;
  return in;
}

/// Threads take a panel of a chunk of rows at a time: few rows are shared by panels, many by both.
Tensor by_kernel(const Tensor& any_codes, InputScale scale, const QuantizedWeight& weight,
                 at::ScalarType dtype) {
  constexpr std::int64_t kRows = 192;
  const Tensor codes = any_codes.contiguous();
  if (scale.rows.defined()) scale.rows = scale.rows.contiguous();
  const PackedGroups packed = packed_groups(weight);
  const GroupedRows all = rows_of(codes, scale, weight.bias);
  const Tensor y = at::empty({all.rows, packed.outputs}, codes.options().dtype(dtype));
  const data::Element element = modules::element_of(dtype);
  const std::int64_t chunks = (all.rows + kRows - 1) / kRows;
  at::parallel_for(0, chunks * packed.panels(), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t row = i / packed.panels() * kRows, panel = i % packed.panels();
      const GroupedRows part = part_of(all, packed.inputs, row, std::min(kRows, all.rows - row));
      grouped_product_cpu(part, packed, panel, panel + 1, element, modules::row_at(y, row));
    }
  });
  return y;
}

Tensor portably(const Tensor& codes, const InputScale& scale, const QuantizedWeight& weight,
                at::ScalarType dtype) {
  const std::int64_t groups = weight.scale.size(1), size = weight.codes.size(1) / groups;
  const Tensor of_input = scale.rows.defined()
                              ? scale.rows.unsqueeze(1)
                              : at::full({1, 1}, scale.tensor, weight.scale.options());
  Tensor y = at::zeros({codes.size(0), weight.codes.size(0)}, weight.scale.options());
  for (std::int64_t group = 0; group < groups; ++group) {
    const auto of_group = [&](const Tensor& all) {
      return all.narrow(1, group * size, size).contiguous();
    };
    const Tensor sums = integer_sums(of_group(codes), of_group(weight.codes));
    y.add_(sums.to(at::kFloat).mul_(of_input * weight.scale.select(1, group)));
  }
  if (weight.bias.defined()) y.add_(weight.bias);
  return y.to(dtype);
}

}  // namespace

void pack_grouped(QuantizedWeight& weight) {
  const std::int64_t groups = weight.scale.size(1), inputs = weight.codes.size(1);
  const bool whole_quads = inputs / groups % kQuad == 0;
  if (!weight.codes.is_cpu() || !has_grouped_product() || !whole_quads) return;
  if (!weight.packed.defined())
    weight.packed = at::empty({bytes_of(packed_groups(weight, nullptr))}, at::kChar);
  const PackedGroups packed = packed_groups(weight);
  const Tensor codes = weight.codes.contiguous(), scale = weight.scale.contiguous();
  at::parallel_for(0, packed.panels(), 1, [&](std::int64_t begin, std::int64_t end) {
    pack_groups_cpu(codes.const_data_ptr<std::int8_t>(), scale.const_data_ptr<float>(), begin, end,
                    packed);
  });
}

Tensor grouped_linear(const Tensor& codes, const InputScale& input_scale,
                      const QuantizedWeight& weight, at::ScalarType dtype) {
  return weight.packed.defined() ? by_kernel(codes, input_scale, weight, dtype)
                                 : portably(codes, input_scale, weight, dtype);
}

}  // namespace dualpath::quant
