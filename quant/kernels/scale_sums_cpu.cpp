#include "quant/kernels/scale_sums.h"

#include "data/base/vector_clones.h"
#include "quant/arithmetic.h"

namespace dualpath::quant {
namespace {

using data::BFloat16;
using data::Float16;
using data::Float32;

template <class Type, class Sum>
DP_INLINE void scale_all(const SumRows& in, const float* bias, void* y_out) {
  auto* y = static_cast<typename Type::Stored*>(y_out);
  for (std::int64_t r = 0; r < in.rows; ++r, y += in.columns) {
    const float scale = in.input.values ? in.input.values[r * in.input.step] : in.input.value;
    const Sum* sums = static_cast<const Sum*>(in.sums) + r * in.stride;
    for (std::int64_t c = 0; c < in.columns; ++c) {
      const float value = scaled_sum(sums[c], scale, in.weight_scale[c]);
      y[c] = Type::store(bias ? value + bias[c] : value);
    }
  }
}

template <class Type, class Sum>
DP_INLINE void scale_rows(const SumRows& in, void* y) {
  in.bias ? scale_all<Type, Sum>(in, in.bias, y) : scale_all<Type, Sum>(in, nullptr, y);
}

#define DP_SCALE_KERNEL(Type)                                                            \
  DP_VECTOR_CLONES void scale(Type, const SumRows& in, void* y) {                        \
    in.rounded ? scale_rows<Type, float>(in, y) : scale_rows<Type, std::int32_t>(in, y); \
  }

DP_SCALE_KERNEL(Float32)
DP_SCALE_KERNEL(BFloat16)
DP_SCALE_KERNEL(Float16)

}  // namespace

void scale_sums_cpu(const SumRows& in, data::Element element, void* y) {
  data::visit(element, [&](auto type) { scale(type, in, y); });
}

}  // namespace dualpath::quant
