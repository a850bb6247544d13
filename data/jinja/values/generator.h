#pragma once

#include <vector>

#include "data/jinja/values/value.h"

namespace dualpath::data::jinja {

/// Items as Python's generators hold them: always true, without a length or a text, and to be
/// looped over once. A second time is an Error, since what is left depends on how far the first
/// came.
Value generator(Runtime& runtime, std::vector<Value> items);

}  // namespace dualpath::data::jinja
