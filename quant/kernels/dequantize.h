#pragma once

#include <cstdint>

#include "data/formats/element.h"

namespace dualpath::quant {

/// codes: [rows, width] int8 with zero point 0, or uint8 with zero point 128; scale: [rows].
struct CodeRows {
  const std::int8_t* codes;
  bool is_unsigned;
  const float* scale;
  std::int64_t rows, width;
};

/// y = (code - zero_point) * scale[row] in float32, then one cast to the element type.
void dequantize_cpu(const CodeRows& in, data::Element element, void* y);

/// dequantize_cpu() on device memory. stream is a cudaStream_t.
void dequantize_cuda(const CodeRows& in, data::Element element, void* y, void* stream);

}  // namespace dualpath::quant
