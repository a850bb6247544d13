#include "modules/kernels/norm_rows.h"
#include "quant/kernels/finite.h"
#include "quant/kernels/norm_quantize.h"

namespace dualpath::quant {
namespace {

using data::BFloat16;
using data::Float16;
using data::Float32;
using modules::NormRows;

template <class Type>
DP_INLINE std::int64_t quantize_rows(const NormRows& in, float eps, Grid grid, std::int8_t* codes,
                                     float* inverse_rms) {
  const auto* x = static_cast<const typename Type::Stored*>(in.x);
  std::int64_t non_finite = 0;
  for (std::int64_t row = 0; row < in.rows; ++row, x += in.width, codes += in.width) {
    inverse_rms[row] = modules::norm_row<Type>(
        x, in,
        eps, [&](std::int64_t i, typename Type::Stored stored) __attribute__((always_inline)) {
          const float value = Type::load(stored);
          const bool finite = is_finite(value);
          codes[i] = static_cast<std::int8_t>(quantize(finite ? value : 0.0f, grid));
          non_finite += !finite;
        });
  }
  return non_finite;
}

template <class Type>
DP_INLINE void backward_rows(const NormRows& in, const float* inverse_rms, Grid grid,
                             const void* grad_in, void* grad_x_out) {
  const auto* x = static_cast<const typename Type::Stored*>(in.x);
  const auto* grad = static_cast<const typename Type::Stored*>(grad_in);
  auto* grad_x = static_cast<typename Type::Stored*>(grad_x_out);
  for (std::int64_t row = 0; row < in.rows;
       ++row, x += in.width, grad += in.width, grad_x += in.width) {
    const float inverse = inverse_rms[row];
    const auto passed = [&](std::int64_t i) __attribute__((always_inline)) {
      const float y = Type::load(Type::store(Type::load(x[i]) * inverse * in.weight[i]));
      return in_range(level(y, grid), grid) ? Type::load(grad[i]) : 0.0f;
    };
    modules::norm_backward_row<Type>(x, in, inverse, passed, grad_x);
  }
}

#define DP_NORM_QUANTIZE_KERNELS(Type)                                                           \
  DP_VECTOR_CLONES std::int64_t quantize_##Type(const NormRows& in, float eps, Grid grid,        \
                                                std::int8_t* codes, float* inverse_rms) {        \
    return quantize_rows<Type>(in, eps, grid, codes, inverse_rms);                               \
  }                                                                                              \
  DP_VECTOR_CLONES void backward_##Type(const NormRows& in, const float* inverse_rms, Grid grid, \
                                        const void* grad, void* grad_x) {                        \
    backward_rows<Type>(in, inverse_rms, grid, grad, grad_x);                                    \
  }

DP_NORM_QUANTIZE_KERNELS(Float32)
DP_NORM_QUANTIZE_KERNELS(BFloat16)
DP_NORM_QUANTIZE_KERNELS(Float16)

}  // namespace

std::int64_t norm_quantize_cpu(const NormRows& in, float eps, Grid grid, std::int8_t* codes,
                               float* inverse_rms) {
  switch (in.element) {
    case data::Element::kFloat32:
      return quantize_Float32(in, eps, grid, codes, inverse_rms);
    case data::Element::kBFloat16:
      return quantize_BFloat16(in, eps, grid, codes, inverse_rms);
    case data::Element::kFloat16:
      return quantize_Float16(in, eps, grid, codes, inverse_rms);
  }
  return 0;
}

void norm_quantize_backward_cpu(const NormRows& in, const float* inverse_rms, Grid grid,
                                const void* grad, void* grad_x) {
  switch (in.element) {
    case data::Element::kFloat32:
      return backward_Float32(in, inverse_rms, grid, grad, grad_x);
    case data::Element::kBFloat16:
      return backward_BFloat16(in, inverse_rms, grid, grad, grad_x);
    case data::Element::kFloat16:
      return backward_Float16(in, inverse_rms, grid, grad, grad_x);
  }
}

}  // namespace dualpath::quant
