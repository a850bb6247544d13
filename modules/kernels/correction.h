#pragma once

#include <cstdint>

#include "data/formats/element.h"

namespace dualpath::modules {

inline constexpr float kCorrectionEps =
    1e-6f;  ///< added to the mean square: a token of zeros stays finite

/// A correction's parameters in float32, the up-projection transposed: all loops run along the
/// hidden dimension.
struct CorrectionWeights {
  const float *down, *down_bias;  ///< [width, hidden], [width]
  const float *up, *up_bias;      ///< [width, hidden], [hidden]
  const float* beta;              ///< [hidden]
  float alpha;
  std::int64_t hidden, width;
  bool normalized;  ///< the head sees x / rms(x), and what it gives is scaled by rms(x)
};

/// Sums over rows, each as the parameter of its name is laid out. beta is [hidden] whatever the
/// module has.
struct CorrectionGradients {
  float *down, *down_bias, *up, *up_bias, *beta, *alpha;
};

/// x: [rows, hidden] of the element type. y = x + r * (alpha * (up^T relu(down (x / r) + down_bias)
/// + up_bias) + beta), r = sqrt(mean(x^2) + kCorrectionEps) where normalized, else 1; in float32,
/// then one cast.
void correction_cpu(data::Element element, const CorrectionWeights& weights, const void* x,
                    std::int64_t rows, void* y);

/// grad: of y, [rows, hidden]. Writes grad_x, adds to gradients. What lies between x and y is
/// computed again.
void correction_backward_cpu(data::Element element, const CorrectionWeights& weights, const void* x,
                             const void* grad, std::int64_t rows, void* grad_x,
                             const CorrectionGradients& gradients);

}  // namespace dualpath::modules
