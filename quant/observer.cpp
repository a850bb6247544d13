#include "quant/observer.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>

#include "quant/arithmetic.h"

namespace dualpath::quant {
namespace {

/// The smallest and the largest value ever seen.
struct MinMaxObserver : Observer {
  void update(float min, float max, ObservedRange& range) override {
    range.min = std::min(range.min, min);
    range.max = std::max(range.max, max);
  }
};

/// An exponential mean of each call's smallest and largest value; the first call starts it.
struct MovingAverageObserver : Observer {
  void update(float min, float max, ObservedRange& range) override {
    constexpr float kWeight = 0.01f;  // of a new window, as torch's MovingAverageMinMaxObserver
    range.min += kWeight * (min - range.min);
    range.max += kWeight * (max - range.max);
  }
};

}  // namespace

void Observer::observe(const torch::Tensor& x, const torch::Tensor& mask) {
  const torch::Tensor rows = x.index({mask});
  if (rows.size(0) == 0) return;
  const auto [min, max] = torch::aminmax(rows);
  const float low = min.item<float>(), high = max.item<float>();
  if (range_.count == 0) {
    range_.min = low;
    range_.max = high;
  } else {
    update(low, high, range_);
  }
  range_.count += rows.size(0);
}

std::unique_ptr<Observer> make_observer(ObserverKind kind) {
  if (kind == ObserverKind::kMovingAverage) return std::make_unique<MovingAverageObserver>();
  return std::make_unique<MinMaxObserver>();
}

float activation_scale(const ObservedRange& range) {
  return symmetric_scale(std::max(std::fabs(range.min), std::fabs(range.max)), kInt8Qmax);
}

}  // namespace dualpath::quant
