#pragma once

#include <torch/types.h>

#include <cstdint>
#include <map>
#include <memory>

#include "quant/scheme.h"

namespace dualpath::quant {

/// What an observer saw of a tensor.
struct ObservedRange {
  float min = 0.0f, max = 0.0f;
  std::int64_t count = 0;  ///< positions (rows) that counted
};

/// Looks at a stream of tensors and proposes their range; quantizing is the executors' job.
struct Observer {
  virtual ~Observer() = default;
  /// x: [N, C] float, finite. mask: [N] bool; rows where it is false (padding) are ignored.
  void observe(const torch::Tensor& x, const torch::Tensor& mask);
  /// count is 0 before the first row.
  const ObservedRange& range() const { return range_; }

 protected:
  /// One call's rows have been reduced to min and max.
  virtual void update(float min, float max, ObservedRange& range) = 0;

 private:
  ObservedRange range_;
};

std::unique_ptr<Observer> make_observer(ObserverKind kind);

/// Symmetric int8 scale of an activation: absmax / 127.
float activation_scale(const ObservedRange& range);

}  // namespace dualpath::quant
