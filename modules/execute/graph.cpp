#include "modules/execute/graph.h"

namespace dualpath::modules {

std::string_view name_of(const Operation& operation) {
  return std::visit([](const auto& op) { return op.kName; }, operation);
}

}  // namespace dualpath::modules
