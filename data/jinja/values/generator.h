#pragma once

#include <vector>

#include "data/jinja/values/value.h"

namespace dualpath::data::jinja {

/// Items in the way of Python's generators: always true, without a length or a text, and to be
/// looped over once. A second loop is an Error, since the items left depend on how far the first
/// came.
Value generator(Runtime& runtime, std::vector<Value> items);

}  // namespace dualpath::data::jinja
