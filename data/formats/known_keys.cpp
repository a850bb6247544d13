#include "data/formats/known_keys.h"

#include <algorithm>

#include "data/base/error.h"

namespace dualpath::data {

void refuse_unknown_keys(const JsonObject& object, std::initializer_list<std::string_view> known) {
  for (const std::string& key : object.keys()) {
    if (!object.contains(key) || std::ranges::find(known, key) != known.end()) continue;
    throw Error("{}: {} is not supported; expected no keys but {}", object.where(), printable(key),
                fmt::join(known, ", "));
  }
}

}  // namespace dualpath::data
