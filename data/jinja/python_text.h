#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dualpath::data::jinja {

/// What Python's str does, over UTF-8. Case is changed in ASCII only; is_ascii() lets a caller
/// refuse the rest.

/// The code points, views into the text.
std::vector<std::string_view> characters(std::string_view text);
std::string utf8_of(std::uint32_t code_point);
bool is_ascii(std::string_view text);
/// str.isspace() of one character.
bool is_space(std::string_view character);

enum class Side { kBoth, kLeft, kRight };
/// Of white space, or of these characters.
std::string_view stripped(std::string_view text, Side side = Side::kBoth,
                          std::optional<std::string_view> of = std::nullopt);

/// At most `most` cuts; -1: all. No separator: at runs of white space.
std::vector<std::string_view> split(std::string_view text,
                                    std::optional<std::string_view> separator, std::int64_t most);
std::vector<std::string_view> split_from_right(std::string_view text, std::string_view separator,
                                               std::int64_t most);
std::vector<std::string_view> split_lines(std::string_view text);
/// How often non-overlapping `part` stands in the text; part not empty.
std::size_t count_of(std::string_view text, std::string_view part);
/// At most `most` of them; -1: all. `from` not empty.
std::string replaced(std::string_view text, std::string_view from, std::string_view to,
                     std::int64_t most);

/// Of ASCII text.
std::string upper(std::string_view text);
std::string lower(std::string_view text);
std::string capitalized(std::string_view text);
/// str.title(): a capital at the start of each run of letters.
std::string titled(std::string_view text);

/// repr(): in quotes, with escapes.
std::string quoted(std::string_view text);

}  // namespace dualpath::data::jinja
