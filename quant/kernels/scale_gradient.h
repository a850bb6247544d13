#pragma once

#include <cstdint>

#include "data/formats/element.h"

namespace dualpath::quant {

/// Some rows of gradients that an integer product has made: [rows, width] of the element type.
struct GradientRows {
  data::Element element;
  void* grad;
  std::int64_t rows, width;
  const float* scale;            ///< [rows]: scales of their integers
  const std::uint8_t* in_range;  ///< the whole tensor's, see quantize.h; if null, all are
  std::int64_t first;            ///< index in the tensor of the first of these elements
};

/// In place: grad = grad * scale in float32, then one cast, where in_range has a 1, else 0.
void scale_gradient_cpu(const GradientRows& in);

}  // namespace dualpath::quant
