#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "quant/arithmetic.h"

namespace dualpath::quant {

/// RMSNorm and quantize as one kernel, with the same bits as apart.
struct NormCodes {
  at::Tensor codes;        ///< [rows, width]; int8, or uint8 on an unsigned grid
  at::Tensor inverse_rms;  ///< [rows] float32
};
/// Quantizes on the grid that is `like` but for its scale: [1] float32, read on x's device. x:
/// [..., width] float, contiguous; weight: [width] float32. A result that is not finite is an Error
/// naming `site`: on CUDA when the stage ends (modules/weights/device_counts.h).
NormCodes norm_quantize(const at::Tensor& x, const at::Tensor& weight, double eps, Grid like,
                        const at::Tensor& scale, const std::string& site);
/// Gradient of x, in its shape. grad: [rows, width] in x's dtype, of the quantized values.
at::Tensor norm_quantize_gradient(const at::Tensor& grad, const at::Tensor& x,
                                  const at::Tensor& weight, const at::Tensor& inverse_rms,
                                  Grid like, const at::Tensor& scale);

}  // namespace dualpath::quant
