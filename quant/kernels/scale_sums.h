#pragma once

#include <cstdint>

#include "data/formats/element.h"

namespace dualpath::quant {

/// An InputScale's floats: values[r * step] is row r's. If values is null, `value` is every row's.
struct InputScaleView {
  float value = 1.0f;
  const float* values = nullptr;
  std::int64_t step = 0;  ///< 1: values has one a row; 0: one for all
};

/// Int32 sums of products of codes, and the scales and biases that turn them into values.
struct SumRows {
  const void* sums;  ///< [rows, columns], a row every `stride` sums
  bool rounded;      ///< float32 instead of int32: a kernel has made them floats already (CPU)
  std::int64_t rows, columns, stride;
  InputScaleView input;
  const float *weight_scale, *bias;  ///< [columns]; bias may be null
};

/// y = scaled_sum(sum, input_scale, weight_scale) + bias, then one cast. y: [rows, columns] of the
/// element type, without gaps.
void scale_sums_cpu(const SumRows& in, data::Element element, void* y);

/// scale_sums_cpu() on device memory, with the same bits. stream is a cudaStream_t.
void scale_sums_cuda(const SumRows& in, data::Element element, void* y, void* stream);

}  // namespace dualpath::quant
