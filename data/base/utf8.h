#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace dualpath::data {

/// What stands at the start of some bytes: one well-formed UTF-8 character, or the longest piece of
/// one that is cut short (at least one byte), which a decoder replaces by a single U+FFFD.
struct Utf8Sequence {
  std::size_t length;
  bool valid;
};
/// bytes must not be empty.
Utf8Sequence leading_sequence(std::string_view bytes);

/// Where the first byte that is not UTF-8 stands; npos if there is none.
std::size_t find_invalid_utf8(std::string_view bytes);

/// As Python's bytes.decode("utf-8", errors="replace").
std::string replace_invalid_utf8(std::string_view bytes);

/// How many code points valid UTF-8 holds.
std::size_t count_code_points(std::string_view text);

}  // namespace dualpath::data
