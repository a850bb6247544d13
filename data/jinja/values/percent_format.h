#pragma once

#include <string>

#include "data/jinja/values/value.h"

namespace dualpath::data::jinja {

/// Python's `format % values`: "%s of %(name)5.2f". values: a tuple, a dict or list that is looked
/// into by name, or one value. %a is refused; everything else follows Python, errors too.
std::string percent_formatted(Runtime& runtime, const std::string& format, const Value& values);

}  // namespace dualpath::data::jinja
