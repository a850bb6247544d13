#pragma once

#include "data/jinja/values/value.h"

namespace dualpath::data::jinja {

/// The filters that look at a list's items, by their names in Jinja.

/// `map`: attribute=… [default=…], or a filter's name and its arguments.
Value map_items(Runtime& runtime, const Value& value, const CallArguments& arguments);
/// `select` and its kin: a test's name and its arguments, or nothing to test for truth. kept:
/// whether the items that pass stay, or the others. by_attribute: the first argument is the
/// attribute to test.
Value select_items(Runtime& runtime, const Value& value, const CallArguments& arguments, bool kept,
                   bool by_attribute);
Value sort_items(Runtime& runtime, const Value& value, const CallArguments& arguments);
Value unique_items(Runtime& runtime, const Value& value, const CallArguments& arguments);
Value dictsort(Runtime& runtime, const Value& value, const CallArguments& arguments);
/// `min` and `max`; sign: -1 for the least, 1 for the largest.
Value extreme_item(Runtime& runtime, const Value& value, const CallArguments& arguments, int sign);
Value sum_items(Runtime& runtime, const Value& value, const CallArguments& arguments);
Value join_items(Runtime& runtime, const Value& value, const CallArguments& arguments);

}  // namespace dualpath::data::jinja
