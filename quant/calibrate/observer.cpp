#include "quant/calibrate/observer.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>

#include "quant/arithmetic.h"

namespace dualpath::quant {
namespace {

/// The smallest and the largest value ever seen.
struct MinMaxObserver : Observer {
  void update(const ObservedRange& rows, ObservedRange& range) override {
    range.min = std::min(range.min, rows.min);
    range.max = std::max(range.max, rows.max);
  }
};

/// An exponential mean of each call's smallest and largest value; the first call starts it.
struct MovingAverageObserver : Observer {
  void update(const ObservedRange& rows, ObservedRange& range) override {
    constexpr float kWeight = 0.01f;  // of a new window, as torch's MovingAverageMinMaxObserver
    range.min += kWeight * (rows.min - range.min);
    range.max += kWeight * (rows.max - range.max);
  }
};

}  // namespace

ObservedRange range_of(const torch::Tensor& x, const torch::Tensor& mask) {
  const torch::Tensor rows = x.index({mask});
  if (rows.size(0) == 0) return {};
  const auto [min, max] = torch::aminmax(rows);
  return {min.item<float>(), max.item<float>(), rows.size(0)};
}

void Observer::observe(const ObservedRange& rows) {
  if (rows.count == 0) return;
  if (range_.count == 0) {
    range_ = rows;
    return;
  }
  update(rows, range_);
  range_.count += rows.count;
}

std::unique_ptr<Observer> make_observer(ObserverKind kind) {
  if (kind == ObserverKind::kMovingAverage) return std::make_unique<MovingAverageObserver>();
  return std::make_unique<MinMaxObserver>();
}

float activation_scale(const ObservedRange& range, int num_bits) {
  return symmetric_scale(std::max(std::fabs(range.min), std::fabs(range.max)), qmax_of(num_bits));
}

}  // namespace dualpath::quant
