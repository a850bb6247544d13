#pragma once

#include <ATen/core/Tensor.h>

namespace dualpath::modules {

/// A DualPathCorrection's parameters, by its names for them. All are float32.
struct CorrectionParameters {
  at::Tensor down, down_bias;  ///< [width, H], [width]
  at::Tensor up, up_bias;      ///< [H, width], best transposed in memory; [H]
  at::Tensor alpha, beta;      ///< [1]; [1] or [H]
};

/// kernels/correction.h as a differentiable operation, which saves x alone for backward. x: [...,
/// H] float32, bfloat16 or float16. normalized: divides by each row's root mean square.
at::Tensor fused_correction(const at::Tensor& x, const CorrectionParameters& parameters,
                            bool normalized);

}  // namespace dualpath::modules
