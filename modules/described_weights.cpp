#include "modules/described_weights.h"

#include "data/base/error.h"

namespace dualpath::modules {

DescribedWeights::DescribedWeights(const Structure& structure,
                                   const std::map<std::string, std::string>& aliases,
                                   at::ScalarType dtype, std::string where)
    : where_(std::move(where)) {
  const auto add = [&](const std::string& name, std::vector<std::int64_t> shape) {
    if (!aliases.contains(name)) infos_[name] = {dtype, std::move(shape), /*decoded=*/false};
  };
  for (const EmbeddingRef& ref : structure.embeddings)
    add(ref.weight_name(), {ref.rows, ref.width});
  for (const NormRef& ref : structure.norms) {
    for (const std::string& name : ref.tensor_names()) add(name, {ref.width});
  }
  for (const ParameterRef& ref : structure.parameters) add(ref.name, ref.shape);
  for (const ConvUse& use : structure.convs) {
    add(use.ref.weight_name(), use.ref.weight_shape());
    if (use.ref.bias) add(use.ref.bias_name(), {use.ref.out_channels});
  }
  for (const LinearUse& use : structure.linears) {
    for (const LinearRef& ref : use.refs) {
      add(ref.weight_name(), ref.weight_shape());
      if (ref.bias) add(ref.bias_name(), {ref.out_features});
    }
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
