#pragma once

#include "modules/execute/structure.h"
#include "modules/weights/weight_store.h"

namespace dualpath::modules {

/// The weights that a network asks for, by name, dtype and shape, without a file that holds them:
/// enough to plan with. get() is an Error that names `where`.
class DescribedWeights : public WeightStore {
 public:
  /// Aliases (see TiedWeights) are no weights of their own.
  DescribedWeights(const Structure& structure, const std::map<std::string, std::string>& aliases,
                   at::ScalarType dtype, std::string where);

  const std::vector<std::string>& names() const override { return names_; }
  bool contains(const std::string& name) const override { return infos_.contains(name); }
  WeightInfo info(const std::string& name) const override;
  at::Tensor get(const std::string& name) const override;

 private:
  std::map<std::string, WeightInfo> infos_;
  std::vector<std::string> names_;
  std::string where_;
};

}  // namespace dualpath::modules
