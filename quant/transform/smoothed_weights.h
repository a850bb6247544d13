#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "modules/weights/tensor_view.h"
#include "modules/weights/weight_store.h"
#include "quant/plan/plan.h"

namespace dualpath::quant {

/// A store whose producers' channels are divided by the folds' factors and whose consumers' columns
/// are multiplied by them: the same function of the network, inputs of another range. What a fold
/// touches is float32, made anew at each get(); all else is the store's below.
class SmoothedWeights : public modules::LayeredStore {
 public:
  /// factors: [channels] float32, positive, by tensor group.
  SmoothedWeights(std::shared_ptr<const modules::WeightStore> below,
                  const std::vector<PlannedFold>& folds, const modules::NamedTensors& factors);

  modules::WeightInfo info(const std::string& name) const override;
  at::Tensor get(const std::string& name) const override;
  bool is_changed(const std::string& name) const override;

 private:
  /// One fold's part in one tensor.
  struct Scaling {
    at::Tensor factors;
    bool divides;  // rows from `first_row`, else it multiplies columns
    std::int64_t first_row;
  };

  std::multimap<std::string, Scaling> scalings_;
};

/// factors [channels] of the producer -> [inputs] of its consumers, each block repeated.
at::Tensor spread(const at::Tensor& factors, const modules::ChannelFold& fold);

/// `weights` as the plan's quantized path reads them: smoothed if the plan has folds.
std::shared_ptr<const modules::WeightStore> smoothed(
    std::shared_ptr<const modules::WeightStore> weights, const Plan& plan,
    const modules::NamedTensors& factors);

}  // namespace dualpath::quant
