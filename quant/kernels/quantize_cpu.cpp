#include "quant/kernels/quantize.h"

#include "data/base/vector_clones.h"
#include "quant/kernels/finite.h"

namespace dualpath::quant {
namespace {

using data::BFloat16;
using data::Float16;
using data::Float32;

template <class Type>
DP_INLINE std::int64_t quantize_all(const void* source, std::int64_t n, Grid grid,
                                    std::int8_t* codes, std::uint8_t* in_range_out) {
  const auto* x = static_cast<const typename Type::Stored*>(source);
  std::int64_t non_finite = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const float value = Type::load(x[i]);
    const bool finite = is_finite(value);
    const float rounded = level(finite ? value : 0.0f, grid);
    codes[i] = static_cast<std::int8_t>(saturate(rounded, grid));
    if (in_range_out) in_range_out[i] = in_range(rounded, grid);
    non_finite += !finite;
  }
  return non_finite;
}

#define DP_CPU_KERNELS(Type)                                                                      \
  DP_VECTOR_CLONES std::int64_t quantize_##Type(const void* x, std::int64_t n, Grid grid,         \
                                                std::int8_t* codes, std::uint8_t* in_range_out) { \
    return in_range_out ? quantize_all<Type>(x, n, grid, codes, in_range_out)                     \
                        : quantize_all<Type>(x, n, grid, codes, nullptr);                         \
  }

DP_CPU_KERNELS(Float32)
DP_CPU_KERNELS(BFloat16)
DP_CPU_KERNELS(Float16)

}  // namespace

std::int64_t quantize_cpu(data::Element element, const void* x, std::int64_t n, Grid grid,
                          std::int8_t* codes, std::uint8_t* in_range) {
  switch (element) {
    case data::Element::kFloat32:
      return quantize_Float32(x, n, grid, codes, in_range);
    case data::Element::kBFloat16:
      return quantize_BFloat16(x, n, grid, codes, in_range);
    case data::Element::kFloat16:
      return quantize_Float16(x, n, grid, codes, in_range);
  }
  return n;
}

}  // namespace dualpath::quant
