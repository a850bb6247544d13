#pragma once

#include <ATen/core/Tensor.h>

#include "quant/ops/input_scale.h"
#include "quant/ops/quantized_weight.h"

namespace dualpath::quant {

// Products with weights that have a scale a group of inputs: int32 sums by group, each times its
// scales, added in float32 from the first group to the last.

/// Packs a weight on the CPU for the processor's vectors, in place where it was packed before;
/// codes and scale are its own. Nothing happens where there are no vectors for it.
void pack_grouped(QuantizedWeight& weight);

/// As integer_linear(), of a grouped weight: by its packed form, or in a portable way.
at::Tensor grouped_linear(const at::Tensor& codes, const InputScale& input_scale,
                          const QuantizedWeight& weight, at::ScalarType dtype);

}  // namespace dualpath::quant
