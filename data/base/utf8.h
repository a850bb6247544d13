#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace dualpath::data {

/// The start of some bytes: one well-formed UTF-8 character, or the longest piece of one that is
/// cut short (at least one byte). A decoder replaces such a piece by a single U+FFFD.
struct Utf8Sequence {
  std::size_t length;
  bool valid;
};
/// Reads the first sequence of `bytes`, which must not be empty.
Utf8Sequence leading_sequence(std::string_view bytes);

/// The place of the first byte that is not UTF-8; npos if there is none.
std::size_t find_invalid_utf8(std::string_view bytes);

/// Decodes like Python's bytes.decode("utf-8", errors="replace").
std::string replace_invalid_utf8(std::string_view bytes);

/// Counts the code points of valid UTF-8.
std::size_t count_code_points(std::string_view text);

}  // namespace dualpath::data
