#pragma once

#include <compare>
#include <string>

#include "data/jinja/values/value.h"

namespace dualpath::data::jinja {

/// "+", "-", "*", "/", "//", "%", "**" between numbers; "+" and "*" of texts and lists, too, and
/// "%" of a text, which is formatted. A result past the integers' 64 bits is an Error.
Value calculated(Runtime& runtime, const std::string& op, const Value& a, const Value& b);
Value negated(Runtime& runtime, const Value& value);

/// Orders numbers, texts, lists and tuples as Python does. Other values are an Error.
std::partial_ordering ordered(Runtime& runtime, const Value& a, const Value& b);
/// "==", "!=", "<", "<=", ">", ">=", "in", "not in".
bool compared(Runtime& runtime, const std::string& op, const Value& a, const Value& b);
/// `item in container`.
bool contains(Runtime& runtime, const Value& container, const Value& item);

/// object.name: a method, else an attribute or the value under that key; undefined if there is
/// none. An undefined object is an Error.
Value attribute_of(Runtime& runtime, const Value& object, const std::string& name);
/// object[index]: finds the same values, but the key goes before a method.
Value item_of(Runtime& runtime, const Value& object, const Value& index);
/// object[start:stop:step]; a null part was left out.
Value slice_of(Runtime& runtime, const Value& object, const Value* start, const Value* stop,
               const Value* step);

}  // namespace dualpath::data::jinja
