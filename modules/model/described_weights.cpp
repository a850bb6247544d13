#include "modules/model/described_weights.h"

#include "data/base/error.h"

namespace dualpath::modules {

DescribedWeights::DescribedWeights(const Structure& structure,
                                   const std::map<std::string, std::string>& aliases,
                                   at::ScalarType dtype, std::string where)
    : where_(std::move(where)) {
  for (const NamedShape& tensor : tensors_of(structure)) {
    if (!aliases.contains(tensor.name))
      infos_[tensor.name] = {dtype, tensor.shape, /*decoded=*/false};
  }
  for (const auto& [name, info] : infos_) names_.push_back(name);
}

WeightInfo DescribedWeights::info(const std::string& name) const {
  const auto found = infos_.find(name);
  if (found == infos_.end()) throw Error("{}: describes no tensor {}", where_, name);
  return found->second;
}

at::Tensor DescribedWeights::get(const std::string& name) const {
  throw Error("{}: holds no weights, so {} has no values", where_, name);
}

}  // namespace dualpath::modules
