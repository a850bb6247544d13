#pragma once

#include <cstdint>

#include "data/base/vector_clones.h"

namespace dualpath::modules {

/// The order in which kernels add up a row: partial sum j takes elements j, j + 16, j + 32 … one
/// after the other, then the upper half is added to the lower until one is left. So a sum has the
/// same bits on every processor and device, and in every kernel.
inline constexpr int kSumLanes = 16;

/// The sum of term(i) for i < n.
template <class Term>
DP_INLINE float lane_sum(std::int64_t n, const Term& term) {
  float sums[kSumLanes] = {};
  std::int64_t i = 0;
  for (; i + kSumLanes <= n; i += kSumLanes) {
    for (int lane = 0; lane < kSumLanes; ++lane) sums[lane] += term(i + lane);
  }
  for (int lane = 0; i < n; ++i, ++lane) sums[lane] += term(i);
  for (int half = kSumLanes / 2; half > 0; half /= 2) {
    for (int lane = 0; lane < half; ++lane) sums[lane] += sums[lane + half];
  }
  return sums[0];
}

}  // namespace dualpath::modules
