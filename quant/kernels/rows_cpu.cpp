#include <algorithm>
#include <bit>

#include "data/base/vector_clones.h"
#include "quant/arithmetic.h"
#include "quant/kernels/quantize.h"
#include "quant/kernels/rows.h"

namespace dualpath::quant {
namespace {

using data::BFloat16;
using data::Float16;
using data::Float32;

/// Magnitudes are ordered as their bits are, and integers have a maximum that compilers put into
/// vectors. Infinity and NaN are the largest.
DP_VECTOR_CLONES float absmax(const float* x, std::int64_t n) {
  std::uint32_t largest = 0;
  for (std::int64_t i = 0; i < n; ++i)
    largest = std::max(largest, std::bit_cast<std::uint32_t>(x[i]) & 0x7fffffffu);
  return std::bit_cast<float>(largest);
}

template <class Type, class Code>
DP_INLINE void dequantize_all(const CodeRows& in, const float* scale, void* target) {
  const auto* codes = static_cast<const Code*>(in.codes);
  auto* y = static_cast<typename Type::Stored*>(target);
  for (std::int64_t r = 0; r < in.rows; ++r, codes += in.columns, y += in.columns) {
    const float row_scale = scale ? scale[r] : 1.0f;
    const Grid grid =
        in.is_unsigned ? unsigned_activation_grid(row_scale) : activation_grid(row_scale);
    for (std::int64_t c = 0; c < in.columns; ++c) y[c] = Type::store(dequantize(codes[c], grid));
  }
}

template <class Type, class Sum>
DP_INLINE void scale_all(const Sum* sums, std::int64_t rows, std::int64_t columns,
                         const float* input_scale, const float* weight_scale, const float* bias,
                         void* target) {
  auto* y = static_cast<typename Type::Stored*>(target);
  for (std::int64_t r = 0; r < rows; ++r, sums += columns, y += columns) {
    for (std::int64_t c = 0; c < columns; ++c) {
      const float value = scaled_sum(sums[c], input_scale[r], weight_scale[c]);
      y[c] = Type::store(bias ? value + bias[c] : value);
    }
  }
}

#define DP_SCALE_KERNEL(Type, Sum)                                                             \
  DP_VECTOR_CLONES void scale_##Type(const Sum* sums, std::int64_t rows, std::int64_t columns, \
                                     const float* input_scale, const float* weight_scale,      \
                                     const float* bias, void* y) {                             \
    if (bias) {                                                                                \
      scale_all<Type>(sums, rows, columns, input_scale, weight_scale, bias, y);                \
    } else {                                                                                   \
      scale_all<Type>(sums, rows, columns, input_scale, weight_scale, nullptr, y);             \
    }                                                                                          \
  }

#define DP_ROW_KERNELS(Type)                                                                 \
  DP_VECTOR_CLONES void dequantize_##Type(const CodeRows& in, const float* scale, void* y) { \
    in.is_unsigned ? dequantize_all<Type, std::uint8_t>(in, scale, y)                        \
                   : dequantize_all<Type, std::int8_t>(in, scale, y);                        \
  }                                                                                          \
  DP_SCALE_KERNEL(Type, std::int32_t)                                                        \
  DP_SCALE_KERNEL(Type, float)

DP_ROW_KERNELS(Float32)
DP_ROW_KERNELS(BFloat16)
DP_ROW_KERNELS(Float16)

template <class Sum>
void scale_rows(const Sum* sums, std::int64_t rows, std::int64_t columns, const float* input_scale,
                const float* weight_scale, const float* bias, data::Element element, void* y) {
  switch (element) {
    case data::Element::kFloat32:
      return scale_Float32(sums, rows, columns, input_scale, weight_scale, bias, y);
    case data::Element::kBFloat16:
      return scale_BFloat16(sums, rows, columns, input_scale, weight_scale, bias, y);
    case data::Element::kFloat16:
      return scale_Float16(sums, rows, columns, input_scale, weight_scale, bias, y);
  }
}

}  // namespace

std::int64_t quantize_weight_rows_cpu(const float* x, std::int64_t rows, std::int64_t columns,
                                      std::int8_t* codes, float* scale) {
  std::int64_t non_finite = 0;
  for (std::int64_t r = 0; r < rows; ++r, x += columns, codes += columns) {
    scale[r] = symmetric_scale(absmax(x, columns), kInt8Qmax);
    non_finite += quantize_cpu(data::Element::kFloat32, x, columns, weight_grid(scale[r]), codes,
                               /*in_range=*/nullptr);
  }
  return non_finite;
}

void dequantize_rows_cpu(const CodeRows& in, const float* scale, data::Element element, void* y) {
  switch (element) {
    case data::Element::kFloat32:
      return dequantize_Float32(in, scale, y);
    case data::Element::kBFloat16:
      return dequantize_BFloat16(in, scale, y);
    case data::Element::kFloat16:
      return dequantize_Float16(in, scale, y);
  }
}

void scale_sum_rows_cpu(const std::int32_t* sums, std::int64_t rows, std::int64_t columns,
                        const float* input_scale, const float* weight_scale, const float* bias,
                        data::Element element, void* y) {
  scale_rows(sums, rows, columns, input_scale, weight_scale, bias, element, y);
}

void scale_sum_rows_cpu(const float* sums, std::int64_t rows, std::int64_t columns,
                        const float* input_scale, const float* weight_scale, const float* bias,
                        data::Element element, void* y) {
  scale_rows(sums, rows, columns, input_scale, weight_scale, bias, element, y);
}

}  // namespace dualpath::quant
