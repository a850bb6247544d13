#pragma once

#include <cstdint>

#include "data/base/vector_clones.h"

namespace dualpath::modules {

/// The order in which kernels add up a row. Partial sum j takes elements j, j + 16, j + 32 … one
/// after the other. Then the upper half is added to the lower until one is left. So a sum has the
/// same bits on every processor and device, and in every kernel.
inline constexpr int kSumLanes = 16;

template <int kHalf>
DP_INLINE void fold(float* sums) {
  for (int lane = 0; lane < kHalf; ++lane) sums[lane] += sums[lane + kHalf];
}

/// Sums term(i) for i < n.
template <class Term>
DP_INLINE float lane_sum(std::int64_t n, const Term& term) {
  float sums[kSumLanes] = {};
  std::int64_t i = 0;
  for (; i + kSumLanes <= n; i += kSumLanes) {
    for (int lane = 0; lane < kSumLanes; ++lane) sums[lane] += term(i + lane);
  }
  for (int lane = 0; i < n; ++i, ++lane) sums[lane] += term(i);
  fold<8>(sums);
  fold<4>(sums);
  fold<2>(sums);
  fold<1>(sums);
  return sums[0];
}

}  // namespace dualpath::modules
