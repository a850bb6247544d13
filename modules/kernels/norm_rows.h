#pragma once

#include <cmath>

#include "modules/kernels/lane_sum.h"
#include "modules/kernels/norm.h"

namespace dualpath::modules {

// RMSNorm of one row, for the kernels that are it or begin with it. The functions handed in must be
// inlined, or they miss the vector level they are compiled for.

/// Calls emit(i, y_i), y_i in the element type. Returns 1 / rms.
template <class Type, class Emit>
DP_INLINE float norm_row(const typename Type::Stored* x, const NormRows& in, float eps,
                         const Emit& emit) {
  const float sum = lane_sum(
      in.width, [&](std::int64_t i) __attribute__((always_inline)) {
        const float value = Type::load(x[i]);
        return value * value;
      });
  const float inverse = 1.0f / std::sqrt(sum / static_cast<float>(in.width) + eps);
  for (std::int64_t i = 0; i < in.width; ++i)
    emit(i, Type::store(Type::load(x[i]) * inverse * in.weight[i]));
  return inverse;
}

/// grad(i): of y_i.
template <class Type, class Grad>
DP_INLINE void norm_backward_row(const typename Type::Stored* x, const NormRows& in, float inverse,
                                 const Grad& grad, typename Type::Stored* grad_x) {
  const float dot = lane_sum(
      in.width, [&](std::int64_t i) __attribute__((always_inline)) {
        return grad(i) * in.weight[i] * Type::load(x[i]);
      });
  const float along_x = inverse * inverse * (dot / static_cast<float>(in.width));
  for (std::int64_t i = 0; i < in.width; ++i) {
    const float g = grad(i) * in.weight[i];
    grad_x[i] = Type::store(inverse * (g - Type::load(x[i]) * along_x));
  }
}

}  // namespace dualpath::modules
