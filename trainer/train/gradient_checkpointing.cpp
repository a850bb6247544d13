#include "trainer/train/gradient_checkpointing.h"

#include <map>
#include <string>
#include <utility>

namespace dualpath::trainer {

modules::GradientCheckpointing checkpointing_of(const std::vector<ParameterGroup>& groups,
                                                bool on) {
  if (!on) return {};
  std::multimap<std::string, at::Tensor> trained;
  for (const ParameterGroup& group : groups) {
    for (const auto& [name, tensor] : group.parameters)
      trained.emplace(name.substr(name.find('.') + 1), tensor);
  }
  return modules::GradientCheckpointing(std::move(trained));
}

}  // namespace dualpath::trainer
