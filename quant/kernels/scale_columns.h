#pragma once

#include <cstdint>

#include "data/formats/element.h"

namespace dualpath::quant {

/// x: [width] of the element type; factors, y: [width] float32. y = x * factors.
void scale_columns_cpu(data::Element element, const void* x, std::int64_t width,
                       const float* factors, float* y);

}  // namespace dualpath::quant
