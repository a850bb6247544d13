#include "quant/calibrate/observer.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

namespace dualpath::quant {
namespace {

ObservedRange range_of(const torch::Tensor& x, const torch::Tensor& mask) {
  const torch::Tensor rows = x.index({mask});
  if (rows.size(0) == 0) return {};
  const auto [min, max] = torch::aminmax(rows);
  return {min.item<float>(), max.item<float>(), rows.size(0)};
}

/// range_of() on a device, unread: smallest, largest and number, [3] float64.
torch::Tensor unread_range_of(const torch::Tensor& x, const torch::Tensor& mask) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const torch::Tensor others = mask.logical_not().unsqueeze(1);
  const torch::Tensor min = x.masked_fill(others, kInfinity).amin(),
                      max = x.masked_fill(others, -kInfinity).amax();
  return torch::stack(
      {min.to(torch::kDouble), max.to(torch::kDouble), mask.sum().to(torch::kDouble)});
}

/// An observer whose rule needs each call's range alone. It keeps the ranges, 16 bytes a call, and
/// add() goes through the later ones one by one. A mean of means would depend on where shards
/// begin. Ranges on a device are read when somebody asks, so that no stage waits for them.
class RangeObserver : public Observer {
 public:
  void observe(const torch::Tensor& x, const torch::Tensor& mask) override {
    if (x.is_cpu()) return add(range_of(x, mask));
    unread_.push_back(unread_range_of(x, mask));
  }
  torch::Tensor seen() const override {
    read();
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
    read();
    add_calls(seen);
  }
  ObservedRange range() const override {
    read();
    return range_;
  }

 protected:
  /// Applies the rule: takes in the range of a call that is not the first.
  virtual void update(const ObservedRange& rows, ObservedRange& range) const = 0;

 private:
  void read() const {
    if (!unread_.empty()) add_calls(torch::stack(std::exchange(unread_, {})).cpu());
  }

  void add_calls(const torch::Tensor& seen) const {
    const auto calls = seen.accessor<double, 2>();
    for (std::int64_t i = 0; i < calls.size(0); ++i) {
      add({static_cast<float>(calls[i][0]), static_cast<float>(calls[i][1]),
           static_cast<std::int64_t>(calls[i][2])});
    }
  }

  void add(const ObservedRange& rows) const {
    if (rows.count == 0) return;
    calls_.push_back(rows);
    if (calls_.size() == 1) {
      range_ = rows;
      return;
    }
    update(rows, range_);
    range_.count += rows.count;
  }

  mutable std::vector<torch::Tensor> unread_;  // calls after all those in calls_
  mutable std::vector<ObservedRange> calls_;
  mutable ObservedRange range_;
};

/// Keeps the smallest and the largest value ever seen.
struct MinMaxObserver : RangeObserver {
  void update(const ObservedRange& rows, ObservedRange& range) const override {
    range.min = std::min(range.min, rows.min);
    range.max = std::max(range.max, rows.max);
  }
};

/// Averages each call's smallest and largest value exponentially; the first call starts the mean.
struct MovingAverageObserver : RangeObserver {
  void update(const ObservedRange& rows, ObservedRange& range) const override {
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
