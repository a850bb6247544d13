#pragma once

#include <cstdint>

#include "data/formats/element.h"

namespace dualpath::quant {

/// Two tensors' rows. fp, q: [rows, width] of the element type.
struct DistanceRows {
  data::Element element;
  const void *fp, *q;
  std::int64_t rows, width;
};

/// Writes difference: q - fp, rounded to the element type; squares, fp_squares: [rows] sums of the
/// squares of the rounded difference and of fp, in the order of modules/kernels/lane_sum.h.
void distance_cpu(const DistanceRows& in, void* difference, float* squares, float* fp_squares);

/// grad[row, i] = slope[row] * difference[row, i], then one cast.
void distance_backward_cpu(data::Element element, const void* difference, const float* slope,
                           std::int64_t rows, std::int64_t width, void* grad);

/// The two functions above on device memory, with the same bits. stream is a cudaStream_t.
void distance_cuda(const DistanceRows& in, void* difference, float* squares, float* fp_squares,
                   void* stream);
void distance_backward_cuda(data::Element element, const void* difference, const float* slope,
                            std::int64_t rows, std::int64_t width, void* grad, void* stream);

}  // namespace dualpath::quant
