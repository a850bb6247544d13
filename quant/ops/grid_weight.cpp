#include "quant/ops/grid_weight.h"

#include <torch/torch.h>

#include "quant/ops/dequantize.h"
#include "quant/ops/quantize_rows.h"

namespace dualpath::quant {

using torch::Tensor;

GridWeight GridWeight::to(at::Device device) const {
  return {.codes = codes.to(device),
          .scale = scale.to(device),
          .zero_point = zero_point.defined() ? zero_point.to(device) : Tensor(),
          .args = args};
}

Tensor GridWeight::dequantized(torch::ScalarType dtype) const {
  return dequantize(codes, scale, dtype);
}

Tensor GridWeight::dequantized_rows(const Tensor& ids, torch::ScalarType dtype) const {
  const Tensor flat = ids.flatten();
  const Tensor values =
      dequantize(codes.index_select(0, flat), scale.index_select(0, flat).flatten(), dtype);
  std::vector<std::int64_t> shape = ids.sizes().vec();
  shape.push_back(codes.size(1));
  return values.view(shape);
}

GridWeight quantize_weight(const Tensor& source, const std::string& site, const QuantArgs& args) {
  const bool is_short = at::isReducedFloatingType(source.scalar_type());
  const Tensor values = is_short ? source : source.to(torch::kFloat);
  const ScaledCodes rounded = quantize_by(args, values.detach(), site);
  return {.codes = rounded.values,
          .scale = rounded.scale,
          .zero_point = rounded.zero_point,
          .args = args};
}

}  // namespace dualpath::quant
