#include "modules/kernels/norm_rows.h"

namespace dualpath::modules {
namespace {

using data::BFloat16;
using data::Float16;
using data::Float32;

template <class Type>
DP_INLINE void norm_rows(const NormRows& in, float eps, void* y_out, float* inverse_rms) {
  const auto* x = static_cast<const typename Type::Stored*>(in.x);
  auto* y = static_cast<typename Type::Stored*>(y_out);
  for (std::int64_t row = 0; row < in.rows; ++row, x += in.width, y += in.width) {
    inverse_rms[row] = norm_row<Type>(
        x, in,
        eps, [&](std::int64_t i, typename Type::Stored value) __attribute__((always_inline)) {
          y[i] = value;
        });
  }
}

template <class Type>
DP_INLINE void backward_rows(const NormRows& in, const float* inverse_rms, const void* grad_in,
                             void* grad_x_out) {
  const auto* x = static_cast<const typename Type::Stored*>(in.x);
  const auto* grad = static_cast<const typename Type::Stored*>(grad_in);
  auto* grad_x = static_cast<typename Type::Stored*>(grad_x_out);
  for (std::int64_t row = 0; row < in.rows;
       ++row, x += in.width, grad += in.width, grad_x += in.width) {
    norm_backward_row<Type>(
        x, in, inverse_rms[row],
        [&](std::int64_t i) __attribute__((always_inline)) { return Type::load(grad[i]); }, grad_x);
  }
}

#define DP_NORM_KERNELS(Type)                                                                     \
  DP_VECTOR_CLONES void norm_##Type(const NormRows& in, float eps, void* y, float* inverse_rms) { \
    norm_rows<Type>(in, eps, y, inverse_rms);                                                     \
  }                                                                                               \
  DP_VECTOR_CLONES void backward_##Type(const NormRows& in, const float* inverse_rms,             \
                                        const void* grad, void* grad_x) {                         \
    backward_rows<Type>(in, inverse_rms, grad, grad_x);                                           \
  }

DP_NORM_KERNELS(Float32)
DP_NORM_KERNELS(BFloat16)
DP_NORM_KERNELS(Float16)

}  // namespace

void rms_norm_cpu(const NormRows& in, float eps, void* y, float* inverse_rms) {
  switch (in.element) {
    case data::Element::kFloat32:
      return norm_Float32(in, eps, y, inverse_rms);
    case data::Element::kBFloat16:
      return norm_BFloat16(in, eps, y, inverse_rms);
    case data::Element::kFloat16:
      return norm_Float16(in, eps, y, inverse_rms);
  }
}

void rms_norm_backward_cpu(const NormRows& in, const float* inverse_rms, const void* grad,
                           void* grad_x) {
  switch (in.element) {
    case data::Element::kFloat32:
      return backward_Float32(in, inverse_rms, grad, grad_x);
    case data::Element::kBFloat16:
      return backward_BFloat16(in, inverse_rms, grad, grad_x);
    case data::Element::kFloat16:
      return backward_Float16(in, inverse_rms, grad, grad_x);
  }
}

}  // namespace dualpath::modules
