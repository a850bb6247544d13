#pragma once

#include <cstddef>
#include <cstdint>

#include "data/formats/element.h"
#include "quant/arithmetic.h"

namespace dualpath::quant {

/// x: [n] of the element type. codes: [n]; in_range: [n], 1 where the straight-through gradient
/// passes, or null. Returns how many values were not finite (their codes are 0): the caller names
/// the site.
std::int64_t quantize_cpu(data::Element element, const void* x, std::int64_t n, Grid grid,
                          std::int8_t* codes, std::uint8_t* in_range);

/// sums: [rows, columns] int32; weight_scale, bias: [columns] float32, bias may be null.
/// y = scaled_sum(sum, input_scale, weight_scale) + bias, then one cast to the element type.
void scale_sums_cpu(const std::int32_t* sums, std::int64_t rows, std::int64_t columns,
                    float input_scale, const float* weight_scale, const float* bias,
                    data::Element element, void* y);

#ifdef DUALPATH_CUDA
using CudaStream = void*;

/// As the two above, on device memory. non_finite: one int32 on the device, added to.
void quantize_cuda(data::Element element, const void* x, std::int64_t n, Grid grid,
                   std::int8_t* codes, std::uint8_t* in_range, std::int32_t* non_finite,
                   CudaStream stream);
void scale_sums_cuda(const std::int32_t* sums, std::int64_t rows, std::int64_t columns,
                     float input_scale, const float* weight_scale, const float* bias,
                     data::Element element, void* y, CudaStream stream);
#endif

}  // namespace dualpath::quant
