#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace dualpath::data {

/// GPT-2's alphabet, in which byte-level vocabularies are written: every byte is one visible
/// character. Printable Latin-1 stands for itself; the other 68 bytes are U+0100, U+0101 and so on
/// in ascending order, so that a space is "Ġ" (U+0120) and a newline "Ċ" (U+010A).
const std::array<std::string, 256>& byte_alphabet();

/// "Ġthe" for " the".
std::string to_byte_alphabet(std::string_view bytes);

/// " the" for "Ġthe"; nothing if a character is not in the alphabet.
std::optional<std::string> from_byte_alphabet(std::string_view token);

}  // namespace dualpath::data
