#pragma once

#include <torch/types.h>

#include <cstdint>
#include <map>
#include <memory>

#include "quant/scheme.h"

namespace dualpath::quant {

/// What was seen of a tensor.
struct ObservedRange {
  float min = 0.0f, max = 0.0f;
  std::int64_t count = 0;  ///< positions (rows) that counted
};

/// x: [N, C] float, finite. mask: [N] bool; rows where it is false (padding) are ignored.
ObservedRange range_of(const torch::Tensor& x, const torch::Tensor& mask);

/// Looks at a stream of tensors and proposes their range; quantizing is the executors' job.
struct Observer {
  virtual ~Observer() = default;
  /// Of one call's rows; none change nothing.
  void observe(const ObservedRange& rows);
  /// count is 0 before the first row.
  const ObservedRange& range() const { return range_; }

 protected:
  /// By the rows of a call that is not the first.
  virtual void update(const ObservedRange& rows, ObservedRange& range) = 0;

 private:
  ObservedRange range_;
};

std::unique_ptr<Observer> make_observer(ObserverKind kind);

/// Symmetric scale of an activation: absmax / 127 of 8 bits.
float activation_scale(const ObservedRange& range, int num_bits = 8);

}  // namespace dualpath::quant
