#pragma once

#include <cstdint>

#include "data/formats/element.h"

namespace dualpath::modules {

/// A batch of rows. x: [rows, width] of the element type; weight: [width].
struct NormRows {
  data::Element element;
  const void* x;
  const float* weight;
  std::int64_t rows, width;
};

/// y = x * inverse_rms * weight in float32, then one cast; inverse_rms: [rows], 1 / sqrt(mean(x^2)
/// + eps). The order of the sums (kernels/lane_sum.h) is part of RMSNorm's law: alone or fused with
/// what follows, it gives the same bits.
void rms_norm_cpu(const NormRows& in, float eps, void* y, float* inverse_rms);

/// grad: y's. grad_x = inverse_rms * (g - x * inverse_rms^2 * mean(g * x)) with g = grad * weight.
void rms_norm_backward_cpu(const NormRows& in, const float* inverse_rms, const void* grad,
                           void* grad_x);

/// The two functions above on device memory. stream is a cudaStream_t.
void rms_norm_cuda(const NormRows& in, float eps, void* y, float* inverse_rms, void* stream);
void rms_norm_backward_cuda(const NormRows& in, const float* inverse_rms, const void* grad,
                            void* grad_x, void* stream);

}  // namespace dualpath::modules
