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

#ifdef DUALPATH_CUDA
using CudaStream = void*;

/// The same on device memory. non_finite: one int32 on the device, added to.
void quantize_cuda(data::Element element, const void* x, std::int64_t n, Grid grid,
                   std::int8_t* codes, std::uint8_t* in_range, std::int32_t* non_finite,
                   CudaStream stream);
#endif

}  // namespace dualpath::quant
