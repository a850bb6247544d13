#include "data/base/vector_clones.h"
#include "trainer/kernels/adamw.h"

namespace dualpath::trainer {

DP_VECTOR_CLONES void adamw_cpu(const AdamWStep& step, std::int64_t n, const float* gradient,
                                float* parameter, float* exp_avg, float* exp_avg_sq) {
  for (std::int64_t i = 0; i < n; ++i)
    adamw_element(step, gradient[i], parameter[i], exp_avg[i], exp_avg_sq[i]);
}

DP_VECTOR_CLONES double squared_norm_cpu(const float* x, std::int64_t n) {
  constexpr int kLanes = 16;
  double sums[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) {
      const double value = x[i + lane];
      sums[lane] += value * value;
    }
  }
  for (int lane = 0; i < n; ++i, ++lane) sums[lane] += static_cast<double>(x[i]) * x[i];
  for (int half = kLanes / 2; half > 0; half /= 2) {
    for (int lane = 0; lane < half; ++lane) sums[lane] += sums[lane + half];
  }
  return sums[0];
}

}  // namespace dualpath::trainer
