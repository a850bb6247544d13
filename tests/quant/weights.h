#pragma once

#include <memory>
#include <utility>

#include "quant/execute/quantized_weight.h"

namespace dualpath::testing {

/// A frozen weight as an executor holds it.
inline quant::QuantizedWeight weight_of(quant::GridWeight grid, const torch::Tensor& bias = {},
                                        quant::WeightKind kind = quant::WeightKind::kCodes) {
  quant::QuantizedWeight weight{.bias = bias};
  weight.set(std::make_shared<const quant::GridWeight>(std::move(grid)), kind);
  return weight;
}

/// A trained weight as an executor holds it: source, [out, in] float32, by channel in 8 bits.
inline quant::QuantizedWeight trained_weight(const torch::Tensor& source) {
  quant::QuantizedWeight weight = weight_of(quant::quantize_weight(source, "w"));
  weight.source = source;
  return weight;
}

}  // namespace dualpath::testing
