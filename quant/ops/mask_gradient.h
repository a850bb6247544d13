#pragma once

#include <ATen/core/Tensor.h>

namespace dualpath::quant {

/// Sets grad to 0 in place where its bit of Codes::in_range (quantize.h) is 0. grad: float,
/// contiguous, as many elements as were quantized.
void mask_gradient(const at::Tensor& grad, const at::Tensor& in_range);
/// Multiplies grad in place by its row's scale in float32, then casts once. Then mask_gradient() if
/// in_range is defined. grad: [rows, width] float, contiguous; scale: [rows] float32.
void scale_and_mask(const at::Tensor& grad, const at::Tensor& scale, const at::Tensor& in_range);

}  // namespace dualpath::quant
