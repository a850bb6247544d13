#include <cmath>

#include "modules/kernels/lane_sum.h"
#include "modules/kernels/norm.h"

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
    const float sum = lane_sum(in.width, [&](std::int64_t i) DP_LAMBDA {
      const float value = Type::load(x[i]);
      return value * value;
    });
    const float inverse = 1.0f / std::sqrt(sum / static_cast<float>(in.width) + eps);
    for (std::int64_t i = 0; i < in.width; ++i)
      y[i] = Type::store(Type::load(x[i]) * inverse * in.weight[i]);
    inverse_rms[row] = inverse;
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
    const float inverse = inverse_rms[row];
    const float dot = lane_sum(in.width, [&](std::int64_t i) DP_LAMBDA {
      return Type::load(grad[i]) * in.weight[i] * Type::load(x[i]);
    });
    const float along_x = inverse * inverse * (dot / static_cast<float>(in.width));
    for (std::int64_t i = 0; i < in.width; ++i) {
      const float g = Type::load(grad[i]) * in.weight[i];
      grad_x[i] = Type::store(inverse * (g - Type::load(x[i]) * along_x));
    }
  }
}

#define DP_NORM_KERNELS(Type)                                                                    \
  DP_VECTOR_CLONES void norm(Type, const NormRows& in, float eps, void* y, float* inverse_rms) { \
    norm_rows<Type>(in, eps, y, inverse_rms);                                                    \
  }                                                                                              \
  DP_VECTOR_CLONES void backward(Type, const NormRows& in, const float* inverse_rms,             \
                                 const void* grad, void* grad_x) {                               \
    backward_rows<Type>(in, inverse_rms, grad, grad_x);                                          \
  }

DP_NORM_KERNELS(Float32)
DP_NORM_KERNELS(BFloat16)
DP_NORM_KERNELS(Float16)

}  // namespace

void rms_norm_cpu(const NormRows& in, float eps, void* y, float* inverse_rms) {
  data::visit(in.element, [&](auto type) { norm(type, in, eps, y, inverse_rms); });
}

void rms_norm_backward_cpu(const NormRows& in, const float* inverse_rms, const void* grad,
                           void* grad_x) {
  data::visit(in.element, [&](auto type) { backward(type, in, inverse_rms, grad, grad_x); });
}

}  // namespace dualpath::modules
