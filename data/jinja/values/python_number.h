#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "data/jinja/values/runtime.h"

namespace dualpath::data::jinja {

/// The work of Python's int and float. An int has 64 bits here; a larger one is an Error.

/// int(text, base): takes white space around it, a sign, a prefix like 0x if the base has one,
/// underscores between digits, and digits of every script. Nothing for other text. base: 2 to 36.
std::optional<std::int64_t> read_integer(Runtime& runtime, std::string_view text, int base);
/// float(text): takes these liberties, too, and "inf", "infinity", "nan".
std::optional<double> read_float(std::string_view text);

/// A float in Python's spelling: the shortest digits that give it back.
std::string float_text(double value);

/// int(value), towards zero; value must be finite.
std::int64_t whole_part(Runtime& runtime, double value);
/// Orders exactly, without rounding the int.
std::partial_ordering order_of(std::int64_t a, double b);

/// a // b and a % b: towards minus infinity, the remainder with the divisor's sign. b not 0, and
/// for ints not the one quotient past 64 bits.
std::int64_t floor_divided(std::int64_t a, std::int64_t b);
double floor_divided(double a, double b);
double floor_remainder(double a, double b);

/// round(value, digits) of the exact value, half to even; digits >= 0.
double rounded(double value, int digits);

}  // namespace dualpath::data::jinja
