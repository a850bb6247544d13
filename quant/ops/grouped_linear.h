#pragma once

#include <ATen/core/Tensor.h>

#include "quant/ops/input_scale.h"
#include "quant/ops/prepared_weight.h"

namespace dualpath::quant {

// Products with weights that have a scale a group of inputs: int32 sums by group, each times its
// scales, added in float32 from the first group to the last.

/// Lays codes and scales of a grouped weight on the CPU out as panels for the processor's vectors.
/// Groups are a multiple of kQuad inputs. panels: of other codes of the same shape, written to in
/// place, or undefined.
void prepare_panels(const GridWeight& weight, at::Tensor& panels);

/// integer_linear() of a grouped weight: from its panels, or in a portable way from its codes.
at::Tensor grouped_linear(const at::Tensor& codes, const InputScale& input_scale,
                          const PreparedWeight& weight, const at::Tensor& bias,
                          at::ScalarType dtype);

}  // namespace dualpath::quant
