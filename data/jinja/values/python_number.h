#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "data/jinja/values/runtime.h"

namespace dualpath::data::jinja {

/// Does what Python's int and float do. An int has 64 bits here: what needs more is an Error.

/// int(text, base): white space around it, a sign, a prefix as 0x where the base has one,
/// underscores between digits, digits of every script. Nothing for other text. base: 2 to 36.
std::optional<std::int64_t> read_integer(Runtime& runtime, std::string_view text, int base);
/// float(text): the same liberties, and "inf", "infinity", "nan".
std::optional<double> read_float(std::string_view text);

/// A float as Python writes it: the shortest digits that give it back.
std::string float_text(double value);

/// int(value), towards zero; value must be finite.
std::int64_t whole_part(Runtime& runtime, double value);
/// Exactly, without rounding the int.
std::partial_ordering order_of(std::int64_t a, double b);

/// a // b and a % b: towards minus infinity, the remainder with the divisor's sign. b not 0, and
/// for ints not the one quotient past 64 bits.
std::int64_t floor_divided(std::int64_t a, std::int64_t b);
double floor_divided(double a, double b);
double floor_remainder(double a, double b);

/// round(value, digits) of the exact value, half to even; digits >= 0.
double rounded(double value, int digits);

}  // namespace dualpath::data::jinja
