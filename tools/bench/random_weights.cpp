#include "tools/bench/random_weights.h"

#include <torch/torch.h>

namespace dualpath::bench {

RandomWeights::RandomWeights(const modules::Structure& structure)
    : DescribedWeights(structure, /*aliases=*/{}, at::kFloat, "random weights") {
  for (const modules::NormRef& norm : structure.norms) {
    near_one_.insert(norm.weight_name());
    near_one_.insert(norm.name + ".running_var");
  }
}

modules::WeightInfo RandomWeights::info(const std::string& name) const {
  return {at::kFloat, DescribedWeights::info(name).shape, /*decoded=*/true};
}

at::Tensor RandomWeights::get(const std::string& name) const {
  const at::Tensor values = torch::randn(info(name).shape) * 0.02;
  return near_one_.contains(name) ? values + 1.0 : values;
}

}  // namespace dualpath::bench
