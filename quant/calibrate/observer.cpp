#include "quant/calibrate/observer.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace dualpath::quant {
namespace {

ObservedRange range_of(const torch::Tensor& x, const torch::Tensor& mask) {
  const torch::Tensor rows = x.index({mask});
  if (rows.size(0) == 0) return {};
  const auto [min, max] = torch::aminmax(rows);
  return {min.item<float>(), max.item<float>(), rows.size(0)};
}

/// An observer whose rule needs each call's range alone. It keeps the ranges, 16 bytes a call, and
/// add() goes through the later ones one by one. A mean of means would depend on where shards
/// begin.
class RangeObserver : public Observer {
 public:
  void observe(const torch::Tensor& x, const torch::Tensor& mask) override {
    add(range_of(x, mask));
  }
  torch::Tensor seen() const override {
    const torch::Tensor seen =
        torch::empty({static_cast<std::int64_t>(calls_.size()), 3}, torch::kDouble);
    auto* row = seen.mutable_data_ptr<double>();
    for (const ObservedRange& call : calls_) {
      *row++ = call.min;
      *row++ = call.max;
      *row++ = static_cast<double>(call.count);
    }
    return seen;
  }
  void add(const torch::Tensor& seen) override {
    const auto calls = seen.accessor<double, 2>();
    for (std::int64_t i = 0; i < calls.size(0); ++i) {
      add({static_cast<float>(calls[i][0]), static_cast<float>(calls[i][1]),
           static_cast<std::int64_t>(calls[i][2])});
    }
  }
  ObservedRange range() const override { return range_; }

 protected:
  /// Applies the rule: takes in the range of a call that is not the first.
  virtual void update(const ObservedRange& rows, ObservedRange& range) = 0;

 private:
  void add(const ObservedRange& rows) {
    if (rows.count == 0) return;
    calls_.push_back(rows);
    if (calls_.size() == 1) {
      range_ = rows;
      return;
    }
    update(rows, range_);
    range_.count += rows.count;
  }

  std::vector<ObservedRange> calls_;
  ObservedRange range_;
};

/// Keeps the smallest and the largest value ever seen.
struct MinMaxObserver : RangeObserver {
  void update(const ObservedRange& rows, ObservedRange& range) override {
    range.min = std::min(range.min, rows.min);
    range.max = std::max(range.max, rows.max);
  }
};

/// Averages each call's smallest and largest value exponentially; the first call starts the mean.
struct MovingAverageObserver : RangeObserver {
  void update(const ObservedRange& rows, ObservedRange& range) override {
    // A new window's share, as in torch's MovingAverageMinMaxObserver.
    constexpr float kWeight = 0.01f;
    range.min += kWeight * (rows.min - range.min);
    range.max += kWeight * (rows.max - range.max);
  }
};

}  // namespace

Grid Observer::qparams(int num_bits) const {
  return activation_grid(activation_scale(range(), num_bits), num_bits);
}

std::unique_ptr<Observer> make_observer(ObserverKind kind) {
  if (kind == ObserverKind::kMovingAverage) return std::make_unique<MovingAverageObserver>();
  return std::make_unique<MinMaxObserver>();
}

float activation_scale(const ObservedRange& range, int num_bits) {
  return symmetric_scale(std::max(std::fabs(range.min), std::fabs(range.max)), qmax_of(num_bits));
}

}  // namespace dualpath::quant
