#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "quant/arithmetic.h"

namespace dualpath::quant {

/// The kernels on tensors: checks, picks the device, splits the work over threads.

struct Codes {
  at::Tensor values;    ///< shape of x; int8, or uint8 on an unsigned grid
  at::Tensor in_range;  ///< uint8, shape of x: 1 where the straight-through gradient passes;
                        ///< undefined unless asked for
};

/// x: float32, bfloat16 or float16. A value that is not finite is an Error naming `site`.
Codes quantize(const at::Tensor& x, Grid grid, const std::string& site, bool want_in_range = false);

/// RMSNorm and quantize as one kernel, with the bits of the two apart.
struct NormCodes {
  at::Tensor codes;        ///< [rows, width]; int8, or uint8 on an unsigned grid
  at::Tensor inverse_rms;  ///< [rows] float32
};
/// x: [..., width] float, contiguous; weight: [width] float32. A result that is not finite is an
/// Error naming `site`.
NormCodes norm_quantize(const at::Tensor& x, const at::Tensor& weight, double eps, Grid grid,
                        const std::string& site);
/// grad: [rows, width] in x's dtype, of the quantized values. Result: of x, in its shape.
at::Tensor norm_quantize_gradient(const at::Tensor& grad, const at::Tensor& x,
                                  const at::Tensor& weight, const at::Tensor& inverse_rms,
                                  Grid grid);

/// Weights, a scale a row. x: [N, K] float32 and scale: [N] float32 on the CPU. Result: [N, K] int8
/// in [-127, 127].
at::Tensor quantize_rows(const at::Tensor& x, const at::Tensor& scale, const std::string& site);

}  // namespace dualpath::quant
