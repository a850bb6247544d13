#pragma once

#include "data/jinja/values/value.h"

namespace dualpath::data::jinja {

/// The filters that make numbers, by their names in Jinja.

/// `int`: default=0, base=10 (2 to 36; for a text). A value that is no number gives the default.
Value to_integer(Runtime& runtime, const Value& value, const CallArguments& arguments);
/// `float`: default=0.0.
Value to_float(Runtime& runtime, const Value& value, const CallArguments& arguments);
Value absolute(Runtime& runtime, const Value& value, const CallArguments& arguments);
/// `round`: precision=0 (not negative), method="common" (half to even), "ceil" or "floor".
Value round_number(Runtime& runtime, const Value& value, const CallArguments& arguments);

}  // namespace dualpath::data::jinja
