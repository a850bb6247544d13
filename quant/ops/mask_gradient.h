#pragma once

#include <ATen/core/Tensor.h>

namespace dualpath::quant {

/// In place: grad = 0 where its bit of Codes::in_range (quantize.h) is 0. grad: float, contiguous,
/// as many elements as were quantized.
void mask_gradient(const at::Tensor& grad, const at::Tensor& in_range);
/// In place: grad = grad * its row's scale in float32, then one cast; then mask_gradient() if
/// in_range is defined. grad: [rows, width] float, contiguous; scale: [rows] float32.
void scale_and_mask(const at::Tensor& grad, const at::Tensor& scale, const at::Tensor& in_range);

}  // namespace dualpath::quant
