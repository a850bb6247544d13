#pragma once

#include <string>
#include <string_view>

namespace dualpath::data::jinja {

/// Changes and tests of case with the results of Python's str, over valid UTF-8 and all of Unicode:
/// full mappings, and a sigma at the end of a word. A result has at most three times the text's
/// bytes.

std::string upper(std::string_view text);
std::string lower(std::string_view text);
std::string case_folded(std::string_view text);
/// Changes the first character to title case, the others to small letters.
std::string capitalized(std::string_view text);
/// str.title(): a capital at the start of each run of letters.
std::string titled(std::string_view text);
/// Jinja's `title`: only white space, "-" and opening brackets start a word.
std::string title_words(std::string_view text);

/// str.isupper(), str.islower(): no letter of the other case, and one of this case at least.
bool is_upper_text(std::string_view text);
bool is_lower_text(std::string_view text);

}  // namespace dualpath::data::jinja
