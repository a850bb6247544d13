#pragma once

#include <string>

#include "data/jinja/values/value.h"

namespace dualpath::data::jinja {

/// `value is name(arguments)`. A test that we do not have is an Error.
bool passes(Runtime& runtime, const std::string& name, const Value& value,
            const CallArguments& arguments);

}  // namespace dualpath::data::jinja
