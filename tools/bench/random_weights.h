#pragma once

#include <set>
#include <string>

#include "modules/model/described_weights.h"

namespace dualpath::bench {

/// Random float32 values for every weight that a network asks for, made when it asks: a layer's 200
/// M weights are never in memory in float all at once. Norms' weights and variances are near 1.
class RandomWeights : public modules::DescribedWeights {
 public:
  explicit RandomWeights(const modules::Structure& structure);
  modules::WeightInfo info(const std::string& name) const override;
  at::Tensor get(const std::string& name) const override;

 private:
  std::set<std::string> near_one_;
};

}  // namespace dualpath::bench
