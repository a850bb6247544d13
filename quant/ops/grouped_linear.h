#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "quant/ops/input_scale.h"
#include "quant/ops/prepared_weight.h"
#include "quant/scheme.h"

namespace dualpath::quant {

// Products with weights that have a scale a group of inputs. int32 sums by group are multiplied by
// their scales. Results are added in float32, from the first group to the last.

/// Prepares a grouped weight on the CPU: codes and scales in panels for the processor's vectors.
/// Groups are a multiple of kQuad inputs. panels: of other codes of the same shape, which are
/// overwritten in place, or undefined.
void prepare_panels(const GridWeight& weight, at::Tensor& panels);

/// integer_linear() for a grouped weight: from its panels, or from its codes by CUDA's kernel or
/// portably.
at::Tensor grouped_linear(const at::Tensor& codes, const InputScale& input_scale,
                          const PreparedWeight& weight, const at::Tensor& bias,
                          at::ScalarType dtype);

/// Name of a device's product for weights by group of kQuad inputs or a multiple, for logs.
std::string grouped_kernel(Compute compute, at::Device device);

}  // namespace dualpath::quant
