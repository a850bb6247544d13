#pragma once

#include <torch/types.h>

#include <cstdint>
#include <memory>

#include "quant/arithmetic.h"
#include "quant/scheme.h"

namespace dualpath::quant {

/// Range of a tensor's values, and how many positions (rows) counted.
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
  /// Looks at one call's rows. x: [N, C] float, finite. mask: [N] bool; rows where it is false
  /// (padding) are ignored. A call without rows changes nothing.
  virtual void observe(const torch::Tensor& x, const torch::Tensor& mask) = 0;
  /// Returns all that it saw, as add() takes it: float64 on the CPU.
  virtual torch::Tensor seen() const = 0;
  /// Takes in what a later observer of the same kind saw. The result has the bits of one observer
  /// that sees this one's calls and then the later one's. So shards added in their order equal one
  /// pass in that order.
  virtual void add(const torch::Tensor& seen) = 0;
  /// The range that the grid is proposed from; count is 0 before the first row.
  virtual ObservedRange range() const = 0;
  /// The symmetric grid of an activation of `num_bits` bits.
  virtual Grid qparams(int num_bits) const;
};

std::unique_ptr<Observer> make_observer(ObserverKind kind);

/// The symmetric scale of an activation: absmax / 127 for 8 bits.
float activation_scale(const ObservedRange& range, int num_bits = 8);

}  // namespace dualpath::quant
