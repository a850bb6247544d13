#include "modules/network/executor.h"

#include <functional>
#include <numeric>

namespace dualpath::modules {

std::vector<std::int64_t> LinearRef::weight_shape() const {
  const std::int64_t positions =
      std::accumulate(kernel.begin(), kernel.end(), std::int64_t{1}, std::multiplies<>());
  std::vector<std::int64_t> shape{out_features, in_features / positions};
  shape.insert(shape.end(), kernel.begin(), kernel.end());
  return shape;
}

std::vector<std::int64_t> ConvRef::weight_shape() const {
  std::vector<std::int64_t> shape{out_channels, in_channels / groups};
  shape.insert(shape.end(), kernel.begin(), kernel.end());
  return shape;
}

std::vector<std::string> NormRef::tensor_names() const {
  std::vector<std::string> names{weight_name()};
  if (kind != NormKind::kRms) names.push_back(bias_name());
  if (kind == NormKind::kBatch) {
    names.push_back(name + ".running_mean");
    names.push_back(name + ".running_var");
  }
  return names;
}

}  // namespace dualpath::modules
