#include "modules/kernels/rotation.h"

#include <algorithm>

#include "data/base/vector_clones.h"

namespace dualpath::modules {
namespace {

using data::BFloat16;
using data::Float16;
using data::Float32;

template <class Type, bool kInterleaved>
DP_INLINE void rotate_all(const RotationRows& in, void* y_out) {
  const auto* x = static_cast<const typename Type::Stored*>(in.x);
  auto* y = static_cast<typename Type::Stored*>(y_out);
  const std::int64_t half = in.rotated / 2;
  const std::int64_t step = kInterleaved ? 2 : 1, apart = kInterleaved ? 1 : half;
  const float sign = in.back ? -1.0f : 1.0f;
  for (std::int64_t token = 0; token < in.tokens; ++token) {
    const float *cos = in.cos + token * half, *sin = in.sin + token * half;
    for (std::int64_t head = 0; head < in.heads; ++head, x += in.dim, y += in.dim) {
      for (std::int64_t i = 0; i < half; ++i) {
        const std::int64_t low = i * step, high = low + apart;
        const float first = Type::load(x[low]), second = Type::load(x[high]);
        const float turn = sign * sin[i];
        y[low] = Type::store(first * cos[i] - second * turn);
        y[high] = Type::store(second * cos[i] + first * turn);
      }
      std::copy(x + in.rotated, x + in.dim, y + in.rotated);
    }
  }
}

#define DP_ROTATION_KERNEL(Type)                                                     \
  DP_VECTOR_CLONES void rotate(Type, const RotationRows& in, void* y) {              \
    in.interleaved ? rotate_all<Type, true>(in, y) : rotate_all<Type, false>(in, y); \
  }

DP_ROTATION_KERNEL(Float32)
DP_ROTATION_KERNEL(BFloat16)
DP_ROTATION_KERNEL(Float16)

}  // namespace

void rotate_cpu(const RotationRows& in, void* y) {
  data::visit(in.element, [&](auto type) { rotate(type, in, y); });
}

}  // namespace dualpath::modules
