#include "quant/kernels/distance.h"

#include "modules/kernels/lane_sum.h"

namespace dualpath::quant {
namespace {

using data::BFloat16;
using data::Float16;
using data::Float32;

template <class Type>
DP_INLINE float sum_of_squares(const typename Type::Stored* x, std::int64_t width) {
  return modules::lane_sum(width, [&](std::int64_t i) DP_LAMBDA {
    const float value = Type::load(x[i]);
    return value * value;
  });
}

template <class Type>
DP_INLINE void forward_rows(const DistanceRows& in, void* difference_out, float* squares,
                            float* fp_squares) {
  const auto *fp = static_cast<const typename Type::Stored*>(in.fp),
             *q = static_cast<const typename Type::Stored*>(in.q);
  auto* difference = static_cast<typename Type::Stored*>(difference_out);
  for (std::int64_t row = 0; row < in.rows; ++row) {
    for (std::int64_t i = 0; i < in.width; ++i)
      difference[i] = Type::store(Type::load(q[i]) - Type::load(fp[i]));
    squares[row] = sum_of_squares<Type>(difference, in.width);
    fp_squares[row] = sum_of_squares<Type>(fp, in.width);
    fp += in.width;
    q += in.width;
    difference += in.width;
  }
}

template <class Type>
DP_INLINE void backward_rows(const void* difference_in, const float* slope, std::int64_t rows,
                             std::int64_t width, void* grad_out) {
  const auto* difference = static_cast<const typename Type::Stored*>(difference_in);
  auto* grad = static_cast<typename Type::Stored*>(grad_out);
  for (std::int64_t row = 0; row < rows; ++row, difference += width, grad += width) {
    for (std::int64_t i = 0; i < width; ++i)
      grad[i] = Type::store(Type::load(difference[i]) * slope[row]);
  }
}

#define DP_DISTANCE_KERNELS(Type)                                                               \
  DP_VECTOR_CLONES void forward(Type, const DistanceRows& in, void* difference, float* squares, \
                                float* fp_squares) {                                            \
    forward_rows<Type>(in, difference, squares, fp_squares);                                    \
  }                                                                                             \
  DP_VECTOR_CLONES void backward(Type, const void* difference, const float* slope,              \
                                 std::int64_t rows, std::int64_t width, void* grad) {           \
    backward_rows<Type>(difference, slope, rows, width, grad);                                  \
  }

DP_DISTANCE_KERNELS(Float32)
DP_DISTANCE_KERNELS(BFloat16)
DP_DISTANCE_KERNELS(Float16)

}  // namespace

void distance_cpu(const DistanceRows& in, void* difference, float* squares, float* fp_squares) {
  data::visit(in.element, [&](auto type) { forward(type, in, difference, squares, fp_squares); });
}

void distance_backward_cpu(data::Element element, const void* difference, const float* slope,
                           std::int64_t rows, std::int64_t width, void* grad) {
  data::visit(element, [&](auto type) { backward(type, difference, slope, rows, width, grad); });
}

}  // namespace dualpath::quant
