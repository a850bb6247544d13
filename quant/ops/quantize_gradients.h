#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "quant/ops/quantize_rows.h"

namespace dualpath::quant {

/// Quantizes the gradients of a group's outputs, side by side. grads: [rows, N_i] of one float
/// dtype each; factors: float32 [sum of N_i] for their columns, applied first; scale: one a row. A
/// value that is not finite is no error: all scales and the results are then NaN, and training
/// finds it.
ScaledCodes quantize_gradients(const std::vector<at::Tensor>& grads, const at::Tensor& factors,
                               bool unsigned_codes);

}  // namespace dualpath::quant
