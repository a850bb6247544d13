#pragma once

#include <cstdint>

#include "data/formats/element.h"

/// Kernels over rows that have a scale each: weights by channel, inputs by token.
namespace dualpath::quant {

/// x: [rows, columns]. scale: [rows], symmetric in the row's largest magnitude; codes: [rows,
/// columns] on the weights' grid of that scale. Returns how many values were not finite (their
/// codes are 0): the caller names the site.
std::int64_t quantize_weight_rows_cpu(const float* x, std::int64_t rows, std::int64_t columns,
                                      std::int8_t* codes, float* scale);

/// Codes as they lie in memory: int8, or uint8 with zero point 128.
struct CodeRows {
  const void* codes;
  bool is_unsigned;
  std::int64_t rows, columns;
};

/// y = (code - zero point) * scale of its row, then one cast to the element type. scale: [rows], or
/// null for 1.
void dequantize_rows_cpu(const CodeRows& in, const float* scale, data::Element element, void* y);

/// y = scaled_sum(sum, input_scale of its row, weight_scale of its column) + bias, then one cast to
/// the element type. sums: [rows, columns], int32 or rounded to float32 already; input_scale:
/// [rows]; weight_scale, bias: [columns], bias may be null.
void scale_sum_rows_cpu(const std::int32_t* sums, std::int64_t rows, std::int64_t columns,
                        const float* input_scale, const float* weight_scale, const float* bias,
                        data::Element element, void* y);
void scale_sum_rows_cpu(const float* sums, std::int64_t rows, std::int64_t columns,
                        const float* input_scale, const float* weight_scale, const float* bias,
                        data::Element element, void* y);

}  // namespace dualpath::quant
