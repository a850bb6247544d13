#include "data/base/error.h"

namespace dualpath {

std::string printable(std::string_view text) {
  const std::string quoted = fmt::format("{:?}", text.substr(0, 200));
  return quoted.substr(1, quoted.size() - 2);
}

}  // namespace dualpath
