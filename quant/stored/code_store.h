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
///   those that somebody has set(), else
///   those that the weight store holds (an export), else
///   its values, rounded when they are first asked for.
/// What was set() is kept; all else lives as long as somebody holds it, so that a model is exported
/// a weight at a time. Not thread-safe.
class CodeStore {
 public:
  explicit CodeStore(std::shared_ptr<const modules::WeightStore> weights)
      : weights_(std::move(weights)) {}

  const modules::WeightStore& weights() const { return *weights_; }

  /// The codes as they are now, while somebody holds them one object. Those of a trained weight
  /// are made anew if the store has another tensor for it, or the tensor another version. Who
  /// writes to a trained tensor past torch must bump its version. A value that is not finite, and
  /// an export's tensor of another shape than planned, is an Error naming it.
  std::shared_ptr<const GridWeight> get(const PlannedLinear& linear);

  /// Puts codes that come from more than rounding (as GPTQ's) in the place of a frozen weight's.
  /// They must be there before anyone get()s the linear's.
  void set(const PlannedLinear& linear, GridWeight codes);

 private:
  struct Entry {
    std::shared_ptr<const GridWeight> set;
    std::weak_ptr<const GridWeight> shared;
    // Of a trained weight: what `shared` was rounded from, at which version.
    at::Tensor source;
    std::int64_t version = 0;
  };

  std::shared_ptr<const GridWeight> get_trained(const PlannedLinear& linear, Entry& entry);

  std::shared_ptr<const modules::WeightStore> weights_;
  std::map<std::string, Entry> entries_;  // by linear
};

}  // namespace dualpath::quant
