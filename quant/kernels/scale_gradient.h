#pragma once

#include <cstdint>

#include "data/formats/element.h"

namespace dualpath::quant {

/// Some rows of gradients that an integer product has made: [rows, width] of the element type.
struct GradientRows {
  data::Element element;
  void* grad;
  std::int64_t rows, width;
  const float* scale;            ///< [rows]: what their integers are worth
  const std::uint8_t* in_range;  ///< of the whole tensor, as quantize.h has it; null: all are
  std::int64_t first;            ///< which of the tensor's elements is the first of these
};

/// grad = grad * scale in float32, then one cast, where in_range has a 1, else 0; in place.
void scale_gradient_cpu(const GradientRows& in);

}  // namespace dualpath::quant
