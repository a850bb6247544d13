#pragma once

#include <initializer_list>
#include <string_view>

#include "data/formats/json.h"

namespace dualpath::data {

/// Error that names the first key which is not among these and has a value: what it asks for would
/// be passed over.
void refuse_unknown_keys(const JsonObject& object, std::initializer_list<std::string_view> known);

}  // namespace dualpath::data
