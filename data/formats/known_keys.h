#pragma once

#include <initializer_list>
#include <string_view>

#include "data/formats/json.h"

namespace dualpath::data {

/// Throws an Error that names the first key which has a value and is not among `known`: its request
/// would be passed over.
void refuse_unknown_keys(const JsonObject& object, std::initializer_list<std::string_view> known);

}  // namespace dualpath::data
