#include "quant/ops/quantized_weight.h"

#include <torch/torch.h>

#include "quant/ops/dequantize.h"
#include "quant/ops/quantize_rows.h"

namespace dualpath::quant {

using torch::Tensor;

namespace {

/// Has the values of one tensor and gives its gradient to another.
struct StandIn : torch::autograd::Function<StandIn> {
  static Tensor forward(torch::autograd::AutogradContext*, const Tensor& /*trained*/,
                        const Tensor& values) {
    return values.clone();
  }
  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext*,
                                               const torch::autograd::tensor_list& grads) {
    return {grads.front(), Tensor()};
  }
};

}  // namespace

Tensor QuantizedWeight::rows(const Tensor& ids, torch::ScalarType dtype) const {
  const Tensor flat = ids.flatten();
  const Tensor made =
      dequantize(codes.index_select(0, flat), scale.index_select(0, flat).flatten(), dtype);
  std::vector<std::int64_t> shape = ids.sizes().vec();
  shape.push_back(codes.size(1));
  const Tensor values = made.view(shape);
  return is_trained() ? StandIn::apply(torch::embedding(source, ids).to(dtype), values) : values;
}

Tensor QuantizedWeight::dequantized(torch::ScalarType dtype) const {
  return dequantize(codes, scale, dtype);
}

QuantizedWeight quantize_weight(const Tensor& source, const std::string& site,
                                const QuantArgs& args) {
  const bool is_short = at::isReducedFloatingType(source.scalar_type());
  const Tensor values = is_short ? source : source.to(torch::kFloat);
  const ScaledCodes made = quantize_by(args, values.detach(), site);
  return {made.values, made.scale, {}, {}, args, made.zero_point};
}

bool requantize_weight(const Tensor& source, const std::string& site, QuantizedWeight& weight) {
  const bool is_same = weight.source.defined() && weight.source.is_same(source);
  if (is_same && weight.version == source._version()) return false;
  TORCH_CHECK(source.scalar_type() == torch::kFloat, site,
              ": trained in another dtype than float32");
  const ScaledCodes made = quantize_by(weight.args, source.detach(), site);
  weight.codes = made.values;
  weight.scale = made.scale;
  weight.zero_point = made.zero_point;
  weight.source = source;
  weight.version = source._version();
  return true;
}

}  // namespace dualpath::quant
