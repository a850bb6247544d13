#pragma once

#include <cstdint>

#include "data/formats/element.h"

namespace dualpath::quant {

/// The straight-through gradient: y = grad where quantize's in_range has a 1 (bits lie as in
/// quantize.h), else 0. grad, y: [n] of the element type, maybe the same memory. Threads split at
/// multiples of 8.
void mask_gradient_cpu(data::Element element, const void* grad, const std::uint8_t* in_range,
                       std::int64_t n, void* y);

/// mask_gradient_cpu() on device memory. stream is a cudaStream_t.
void mask_gradient_cuda(data::Element element, const void* grad, const std::uint8_t* in_range,
                        std::int64_t n, void* y, void* stream);

}  // namespace dualpath::quant
