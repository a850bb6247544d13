#pragma once

#include <string>

#include "data/jinja/values/value.h"

namespace dualpath::data::jinja {

/// `value | name(arguments)`. A filter that we do not have is an Error.
Value filtered(Runtime& runtime, const std::string& name, const Value& value,
               const CallArguments& arguments);

}  // namespace dualpath::data::jinja
