#pragma once

#include <ATen/core/Tensor.h>

namespace dualpath::quant {

/// codes: int8 with zero point 0, or uint8 with zero point 128. scale: float32, [1] or one for each
/// of as many equal runs of codes (rows, groups). Result: code * scale in float32, then one cast.
at::Tensor dequantize(const at::Tensor& codes, const at::Tensor& scale, at::ScalarType dtype);

}  // namespace dualpath::quant
