#pragma once

#include "data/jinja/values/value.h"

namespace dualpath::data::jinja {

/// The filters that look at what a list holds, by their names in Jinja.

/// attribute=… [default=…], or a filter's name and its arguments.
Value map_items(Runtime& runtime, const Value& value, const CallArguments& arguments);
/// A test's name and its arguments, or nothing: what is true. kept: whether the items that pass
/// stay, or the others. by_attribute: an attribute comes first, and is what is tested.
Value select_items(Runtime& runtime, const Value& value, const CallArguments& arguments, bool kept,
                   bool by_attribute);
Value sort_items(Runtime& runtime, const Value& value, const CallArguments& arguments);
Value unique_items(Runtime& runtime, const Value& value, const CallArguments& arguments);
Value dictsort(Runtime& runtime, const Value& value, const CallArguments& arguments);
/// sign: -1 for the least, 1 for the largest.
Value extreme_item(Runtime& runtime, const Value& value, const CallArguments& arguments, int sign);
Value sum_items(Runtime& runtime, const Value& value, const CallArguments& arguments);
Value join_items(Runtime& runtime, const Value& value, const CallArguments& arguments);

}  // namespace dualpath::data::jinja
