#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace dualpath::data::jinja {

/// Properties of one character (a code point) that Python's str uses, by utf8proc's tables: Unicode
/// 15, as in Python 3.12.

/// str.isspace().
bool is_space(std::uint32_t c);
/// str.isprintable(): whether repr() shows the character or an escape.
bool is_printable(std::uint32_t c);
/// str.isalpha().
bool is_letter(std::uint32_t c);
/// str.isnumeric(), except for ideographs that are numbers and letters, too.
bool is_numeral(std::uint32_t c);
/// str.isdigit(): also superscripts and digits in circles.
bool is_digit(std::uint32_t c);
/// The value of a decimal digit of any script; nothing for other characters.
std::optional<int> decimal_of(std::uint32_t c);

/// Unicode's properties Lowercase, Uppercase, Cased and Case_Ignorable.
bool is_lowercase(std::uint32_t c);
bool is_uppercase(std::uint32_t c);
bool is_cased(std::uint32_t c);
bool is_case_ignorable(std::uint32_t c);

/// The full mappings, which may give several characters: "ß" becomes "SS", "Ss", "ß" and "ss".
std::string upper_of(std::uint32_t c);
std::string title_of(std::uint32_t c);
/// Ignores the place in the word: a capital sigma becomes "σ".
std::string lower_of(std::uint32_t c);
std::string fold_of(std::uint32_t c);

}  // namespace dualpath::data::jinja
