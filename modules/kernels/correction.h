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
  const float *alpha, *beta;      ///< [1], [hidden]
  std::int64_t hidden, width;
  bool normalized;  ///< the head sees x / rms(x), and its result is scaled by rms(x)
};

/// Sums over rows. Each is laid out like the parameter of its name. beta is [hidden] whatever the
/// module has.
struct CorrectionGradients {
  float *down, *down_bias, *up, *up_bias, *beta, *alpha;
};

/// x: [rows, hidden] of the element type. y = x + r * (alpha * (up^T relu(down (x / r) + down_bias)
/// + up_bias) + beta) in float32, then one cast. r = sqrt(mean(x^2) + kCorrectionEps) if
/// normalized, else 1. Sums along the hidden dimension have the order of lane_sum.h.
void correction_cpu(data::Element element, const CorrectionWeights& weights, const void* x,
                    std::int64_t rows, void* y);

/// One row in two steps, with the same bits, for several threads. A lone token reads the matrices
/// from memory, and one thread would wait for them. This first step makes units begin .. end of
/// active, [width], each after its ReLU. Returns r.
float correction_units_cpu(data::Element element, const CorrectionWeights& weights, const void* x,
                           std::int64_t begin, std::int64_t end, float* active);
/// Second step: makes elements begin .. end of y.
void correction_columns_cpu(data::Element element, const CorrectionWeights& weights, const void* x,
                            const float* active, float r, std::int64_t begin, std::int64_t end,
                            void* y);

/// grad: y's gradient, [rows, hidden]. Writes grad_x, adds to gradients. All that lies between x
/// and y is computed again.
void correction_backward_cpu(data::Element element, const CorrectionWeights& weights, const void* x,
                             const void* grad, std::int64_t rows, void* grad_x,
                             const CorrectionGradients& gradients);

/// correction_cpu() on the device, with the same bits. All pointers, alpha's too, are the device's.
/// stream is a cudaStream_t. width: up to 4096.
void correction_cuda(data::Element element, const CorrectionWeights& weights, const void* x,
                     std::int64_t rows, void* y, void* stream);

/// Backward's values of each row, for the sums over rows; on the device. A row of units takes
/// correction_units(width) floats, 0 past its width.
struct CorrectionTrace {
  float* rms;        ///< [rows]
  float* of_alpha;   ///< [rows], the row's part of alpha's gradient
  float* active;     ///< [rows, units], after the ReLU
  float* of_active;  ///< [rows, units], the gradient of each unit before its ReLU
};
std::int64_t correction_units(std::int64_t width);

/// Number of shares that the rows are split into for the sums. It depends on the shape alone, so
/// that a run has the same bits on every device of a kind.
std::int64_t correction_gradient_sets(const CorrectionWeights& weights, std::int64_t rows);

/// Equals the CPU's within float32's rounding. Writes grad_x, trace, and gradients of
/// correction_gradient_sets() shares of the rows. Each gradient is an array of so many, to be added
/// in their order: nothing here is added by atomics.
void correction_backward_cuda(data::Element element, const CorrectionWeights& weights,
                              const void* x, const void* grad, std::int64_t rows, void* grad_x,
                              const CorrectionTrace& trace, const CorrectionGradients& gradients,
                              void* stream);

}  // namespace dualpath::modules
