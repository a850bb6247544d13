#pragma once

#include <torch/types.h>

#include <cstdint>
#include <memory>

#include "quant/arithmetic.h"
#include "quant/scheme.h"

namespace dualpath::quant {

/// Range of a tensor's values and how many positions (rows) counted.
struct ObservedRange {
  float min = 0.0f, max = 0.0f;
  std::int64_t count = 0;
};

/// Looks at a stream of tensors and proposes their grid; quantizing is the executors' job.
///   observer->observe(x, mask);  // each call
///   observer->qparams(/*num_bits=*/8).scale
class Observer {
 public:
  virtual ~Observer() = default;
  /// x: [N, C] float, finite. mask: [N] bool; rows where it is false (padding) are ignored. A call
  /// without rows changes nothing.
  virtual void observe(const torch::Tensor& x, const torch::Tensor& mask) = 0;
  /// Takes in what `later`, of the same kind, saw: the bits of one observer that sees this one's
  /// calls and then later's. Merging shards in their order is one pass in that order.
  virtual void merge(const Observer& later) = 0;
  /// What it proposes the grid from; count is 0 before the first row.
  virtual ObservedRange range() const = 0;
  /// The symmetric grid of an activation of so many bits.
  virtual Grid qparams(int num_bits) const;
};

std::unique_ptr<Observer> make_observer(ObserverKind kind);

/// Symmetric scale of an activation: absmax / 127 of 8 bits.
float activation_scale(const ObservedRange& range, int num_bits = 8);

}  // namespace dualpath::quant
