#pragma once

#include <optional>
#include <string>

#include "data/jinja/values/value.h"

namespace dualpath::data::jinja {

/// A function that every template can call: range, namespace, dict, raise_exception or
/// strftime_now. Nothing for another name, but an Error for names that mean something in Jinja:
/// joiner, kwargs, ….
std::optional<Value> function_named(Runtime& runtime, const std::string& name);

}  // namespace dualpath::data::jinja
