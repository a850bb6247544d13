#pragma once

#include <cstdint>

#include "modules/kernels/norm.h"
#include "quant/arithmetic.h"

namespace dualpath::quant {

/// RMSNorm (modules/kernels/norm.h) and quantize as one, with the bits of the two apart: the norm's
/// result is rounded to the element type in between. codes: [rows, width]; inverse_rms: [rows].
/// Returns how many of the norm's results were not finite.
std::int64_t norm_quantize_cpu(const modules::NormRows& in, float eps, Grid grid,
                               std::int8_t* codes, float* inverse_rms);

/// grad: the quantized values' gradient, of the element type. It passes where the rounded level is
/// in range. Normalizes again instead of keeping the range.
void norm_quantize_backward_cpu(const modules::NormRows& in, const float* inverse_rms, Grid grid,
                                const void* grad, void* grad_x);

/// The two functions above on device memory. scale: one float on the device in the place of the
/// grid's, or null. non_finite: one int32, added to. stream is a cudaStream_t.
void norm_quantize_cuda(const modules::NormRows& in, float eps, Grid grid, const float* scale,
                        std::int8_t* codes, float* inverse_rms, std::int32_t* non_finite,
                        void* stream);
void norm_quantize_backward_cuda(const modules::NormRows& in, const float* inverse_rms, Grid grid,
                                 const float* scale, const void* grad, void* grad_x, void* stream);

}  // namespace dualpath::quant
