#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dualpath::data::jinja {

/// The work of Python's str, over valid UTF-8; letter_case.h has the changes of case.

/// The characters, views into the text.
std::vector<std::string_view> characters(std::string_view text);
/// The first and the last one; text not empty.
std::string_view first_character(std::string_view text);
std::string_view last_character(std::string_view text);
std::uint32_t code_point(std::string_view character);
std::string utf8_of(std::uint32_t code_point);
/// str.isspace() of one character.
bool is_space(std::string_view character);

enum class Side { kBoth, kLeft, kRight };
/// str.strip(): strips white space, or these characters.
std::string_view stripped(std::string_view text, Side side = Side::kBoth,
                          std::optional<std::string_view> of = std::nullopt);

/// str.split(): makes at most `most` cuts, or all for -1. Without a separator it cuts at runs of
/// white space.
std::vector<std::string_view> split(std::string_view text,
                                    std::optional<std::string_view> separator, std::int64_t most);
std::vector<std::string_view> split_from_right(std::string_view text, std::string_view separator,
                                               std::int64_t most);
/// Cuts at every line separator of Unicode. keeps_ends: keeps the separators.
std::vector<std::string_view> split_lines(std::string_view text, bool keeps_ends = false);
/// Counts non-overlapping `part`s in the text. An empty one stands around every character.
std::size_t count_of(std::string_view text, std::string_view part);
/// str.replace(): replaces at most `most`, or all for -1.
std::string replaced(std::string_view text, std::string_view from, std::string_view to,
                     std::int64_t most);

/// repr(): in quotes, with escapes for characters that are not printable.
std::string quoted(std::string_view text);

}  // namespace dualpath::data::jinja
