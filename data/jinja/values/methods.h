#pragma once

#include <optional>
#include <string>

#include "data/jinja/values/value.h"

namespace dualpath::data::jinja {

/// The method of this name of Python's str, list or dict, bound to the value; nothing if Python has
/// none. One that we do not have is an Error. Among these are all that would change a list or a
/// dict, which a template may not.
std::optional<Value> method_of(Runtime& runtime, const Value& self, const std::string& name);

/// The text in another case: one of letter_case.h's changes.
std::string with_case(Runtime& runtime, std::string_view text,
                      std::string (*change)(std::string_view));

/// (key, value) tuples.
std::vector<Value> pairs_of(Runtime& runtime, const Dict& dict);

/// Pieces of a text as a list.
Value list_of(Runtime& runtime, const std::vector<std::string_view>& texts);

/// str.replace(): replaces at most `most`, or all for -1.
Value replaced_text(Runtime& runtime, const std::string& text, std::string_view from,
                    std::string_view to, std::int64_t most);

}  // namespace dualpath::data::jinja
