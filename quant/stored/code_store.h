#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "modules/weights/weight_store.h"
#include "quant/ops/grid_weight.h"
#include "quant/plan/plan.h"

namespace dualpath::quant {

/// The codes of planned linears over one weight store: executors that multiply a weight and an
/// export that writes it get the same ones. A linear's codes are
///   the ones put here by set(), else
///   the ones that the weight store holds (an export), else
///   its values, rounded when they are first asked for.
/// Codes from set() are kept. All others live as long as somebody holds them, so that a model is
/// exported a weight at a time. Not thread-safe.
class CodeStore {
 public:
  /// Makes the codes on the device.
  explicit CodeStore(std::shared_ptr<const modules::WeightStore> weights,
                     at::Device device = at::kCPU)
      : weights_(std::move(weights)), device_(device) {}

  const modules::WeightStore& weights() const { return *weights_; }

  /// The current codes: one object while somebody holds it. A trained weight's are made anew if the
  /// store has another tensor for it, or the tensor another version. Whoever writes to a trained
  /// tensor past torch must bump its version. A value that is not finite, or an export's tensor of
  /// another shape than planned, is an Error naming it.
  std::shared_ptr<const GridWeight> get(const PlannedLinear& linear);

  /// Replaces a frozen weight's codes by ones that come from more than rounding (as GPTQ's). They
  /// must be there before anyone get()s the linear's.
  void set(const PlannedLinear& linear, GridWeight codes);

 private:
  struct Entry {
    std::shared_ptr<const GridWeight> set;
    std::weak_ptr<const GridWeight> shared;
    // The trained tensor that `shared` was rounded from, and its version.
    at::Tensor source;
    std::int64_t version = 0;
  };

  std::shared_ptr<const GridWeight> get_trained(const PlannedLinear& linear, Entry& entry);

  std::shared_ptr<const modules::WeightStore> weights_;
  at::Device device_;
  std::map<std::string, Entry> entries_;  // by linear
};

}  // namespace dualpath::quant
