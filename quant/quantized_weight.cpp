#include "quant/quantized_weight.h"

#include <torch/torch.h>

#include "quant/row_kernels.h"

namespace dualpath::quant {
namespace {

using torch::Tensor;

/// Codes and scale, where the weight has them already or newly allocated.
void quantize_into(const Tensor& values, const std::string& site, QuantizedWeight& weight) {
  if (!weight.codes.defined()) {
    weight.codes = torch::empty(values.sizes(), values.options().dtype(torch::kChar));
    weight.scale = torch::empty({values.size(0)}, values.options());
  }
  quantize_weight_rows(values, site, weight.codes, weight.scale);
}

}  // namespace

Tensor QuantizedWeight::dequantized(torch::ScalarType dtype) const {
  const Tensor values = torch::empty(codes.sizes(), codes.options().dtype(dtype));
  dequantize_rows(codes, scale, values);
  return values;
}

QuantizedWeight quantize_weight(const Tensor& source, const std::string& site) {
  QuantizedWeight weight;
  quantize_into(source.detach().to(torch::kFloat), site, weight);
  return weight;
}

bool requantize_weight(const Tensor& source, const std::string& site, QuantizedWeight& weight) {
  const bool is_same = weight.source.defined() && weight.source.is_same(source);
  if (is_same && weight.version == source._version()) return false;
  TORCH_CHECK(source.scalar_type() == torch::kFloat, site,
              ": trained in another dtype than float32");
  quantize_into(source.detach(), site, weight);
  weight.source = source;
  weight.version = source._version();
  return true;
}

}  // namespace dualpath::quant
