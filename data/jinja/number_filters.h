#pragma once

#include "data/jinja/values/value.h"

namespace dualpath::data::jinja {

/// The filters that make numbers, by their names in Jinja.

/// default=0, base=10 (2 to 36; of a text). What is no number gives the default.
Value to_integer(Runtime& runtime, const Value& value, const CallArguments& arguments);
/// default=0.0.
Value to_float(Runtime& runtime, const Value& value, const CallArguments& arguments);
Value absolute(Runtime& runtime, const Value& value, const CallArguments& arguments);
/// precision=0 (not negative), method="common" (half to even), "ceil" or "floor".
Value round_number(Runtime& runtime, const Value& value, const CallArguments& arguments);

}  // namespace dualpath::data::jinja
