#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "modules/weights/tensor_view.h"
#include "modules/weights/weight_store.h"
#include "quant/plan/plan.h"

namespace dualpath::quant {

/// A store with the folds' factors applied: producers' channels are divided, consumers' columns
/// multiplied. The network's function stays, and its inputs get another range. A changed tensor is
/// float32, made anew at each get(); all else is the store's below.
class SmoothedWeights : public modules::LayeredStore {
 public:
  /// factors: by tensor group, [channels] float32, positive.
  SmoothedWeights(std::shared_ptr<const modules::WeightStore> below,
                  const std::vector<PlannedFold>& folds, const modules::NamedTensors& factors);

  modules::WeightInfo info(const std::string& name) const override;
  at::Tensor get(const std::string& name) const override;
  bool is_changed(const std::string& name) const override;

 private:
  /// The part that one fold has in one tensor.
  struct Scaling {
    at::Tensor factors;
    bool divides;  // divides rows from `first_row`; else multiplies columns
    std::int64_t first_row;
  };

  std::multimap<std::string, Scaling> scalings_;
};

/// Spreads the producer's factors [channels] over its consumers' inputs [inputs], each block
/// repeated.
at::Tensor spread(const at::Tensor& factors, const modules::ChannelFold& fold);

/// Returns `weights` as the plan's quantized path reads them: smoothed if the plan has folds.
std::shared_ptr<const modules::WeightStore> smoothed(
    std::shared_ptr<const modules::WeightStore> weights, const Plan& plan,
    const modules::NamedTensors& factors);

}  // namespace dualpath::quant
