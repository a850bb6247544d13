#include "data/base/vector_clones.h"
#include "quant/kernels/scale_columns.h"

namespace dualpath::quant {
namespace {

using data::BFloat16;
using data::Float16;
using data::Float32;

template <class Type>
DP_INLINE void scale_all(const void* x_in, std::int64_t width, const float* factors, float* y) {
  const auto* x = static_cast<const typename Type::Stored*>(x_in);
  for (std::int64_t i = 0; i < width; ++i) y[i] = Type::load(x[i]) * factors[i];
}

#define DP_SCALE_KERNEL(Type)                                                                \
  DP_VECTOR_CLONES void scale(Type, const void* x, std::int64_t width, const float* factors, \
                              float* y) {                                                    \
    scale_all<Type>(x, width, factors, y);                                                   \
  }

DP_SCALE_KERNEL(Float32)
DP_SCALE_KERNEL(BFloat16)
DP_SCALE_KERNEL(Float16)

}  // namespace

void scale_columns_cpu(data::Element element, const void* x, std::int64_t width,
                       const float* factors, float* y) {
  data::visit(element, [&](auto type) { scale(type, x, width, factors, y); });
}

}  // namespace dualpath::quant
