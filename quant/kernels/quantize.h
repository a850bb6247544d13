#pragma once

#include <cstddef>
#include <cstdint>

#include "data/formats/element.h"
#include "quant/arithmetic.h"

namespace dualpath::quant {

/// x: [n] of the element type, all on one grid. codes: [n] int8, or uint8 on an unsigned grid.
/// in_range: one bit an element in the order of x (element i is bit i % 8 of byte i / 8, the last
/// byte's rest is 0), 1 where the straight-through gradient passes; or null. Threads split at
/// multiples of 8. Returns how many values were not finite (their codes are zero's): the caller
/// names the site.
std::int64_t quantize_cpu(data::Element element, const void* x, std::int64_t n, Grid grid,
                          std::int8_t* codes, std::uint8_t* in_range);

/// x: [rows, width] of the element type. Each row has a grid of its own: `like` with the scale for
/// its largest magnitude (symmetric_scale), written to scale: [rows]. A row is a token, a weight's
/// channel, or a group of one. Values that are not finite are counted and returned; they make no
/// scale, and their codes are zero's.
std::int64_t quantize_rows_cpu(data::Element element, const void* x, std::int64_t rows,
                               std::int64_t width, Grid like, std::int8_t* codes, float* scale);

/// x: [rows, width] of the element type. Each row (a weight's channel, or a group of one) has the
/// asymmetric grid of its own range, written to scale and zero_point: [rows]. codes: less the zero
/// point. num_bits: at most 7, so that they fit. Values that are not finite are counted and
/// returned; they are not in the range, and their codes are zero's.
std::int64_t quantize_asymmetric_rows_cpu(data::Element element, const void* x, std::int64_t rows,
                                          std::int64_t width, int num_bits, std::int8_t* codes,
                                          float* scale, std::int8_t* zero_point);

/// The functions above on device memory. scale: one float on the device in the place of the grid's,
/// or null. non_finite: one int32 on the device, added to; stream is a cudaStream_t.
void quantize_cuda(data::Element element, const void* x, std::int64_t n, Grid grid,
                   const float* scale, std::int8_t* codes, std::uint8_t* in_range,
                   std::int32_t* non_finite, void* stream);
void quantize_rows_cuda(data::Element element, const void* x, std::int64_t rows, std::int64_t width,
                        Grid like, std::int8_t* codes, float* scale, std::int32_t* non_finite,
                        void* stream);
void quantize_asymmetric_rows_cuda(data::Element element, const void* x, std::int64_t rows,
                                   std::int64_t width, int num_bits, std::int8_t* codes,
                                   float* scale, std::int8_t* zero_point, std::int32_t* non_finite,
                                   void* stream);

}  // namespace dualpath::quant
