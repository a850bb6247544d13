#include "data/base/utf8.h"

#include <algorithm>

namespace dualpath::data {

// Follows the Unicode Standard, table 3-7, which says which bytes may follow which.
Utf8Sequence leading_sequence(std::string_view bytes) {
  // Past the end stands 0, which continues nothing.
  const auto at = [&](std::size_t i) { return i < bytes.size() ? bytes[i] & 0xFF : 0; };
  const int lead = at(0);
  if (lead < 0x80) return {1, true};
  if (lead < 0xC2 || lead > 0xF4) return {1, false};
  const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  // The second byte rules out overlong forms, surrogates and what lies past U+10FFFF.
  int low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  int high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  for (std::size_t i = 1; i < length; ++i, low = 0x80, high = 0xBF) {
    if (at(i) < low || at(i) > high) return {i, false};
  }
  return {length, true};
}

std::size_t find_invalid_utf8(std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size();) {
    const Utf8Sequence sequence = leading_sequence(bytes.substr(i));
    if (!sequence.valid) return i;
    i += sequence.length;
  }
  return std::string_view::npos;
}

std::string replace_invalid_utf8(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const Utf8Sequence sequence = leading_sequence(bytes);
    text += sequence.valid ? bytes.substr(0, sequence.length) : "\uFFFD";
    bytes.remove_prefix(sequence.length);
  }
  return text;
}

std::size_t count_code_points(std::string_view text) {
  const auto starts_one = [](char byte) { return (byte & 0xC0) != 0x80; };
  return static_cast<std::size_t>(std::ranges::count_if(text, starts_one));
}

}  // namespace dualpath::data
