#include "data/tokenizer/byte_alphabet.h"

#include <unordered_map>

#include "data/base/utf8.h"

namespace dualpath::data {
namespace {

bool stands_for_itself(unsigned byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

/// UTF-8 of a code point below U+0800.
std::string utf8(unsigned code_point) {
  if (code_point < 0x80) return {static_cast<char>(code_point)};
  return {static_cast<char>(0xC0 | code_point >> 6), static_cast<char>(0x80 | (code_point & 0x3F))};
}

std::array<std::string, 256> make_alphabet() {
  std::array<std::string, 256> alphabet;
  unsigned next = 0x100;
  for (unsigned byte = 0; byte < 256; ++byte) {
    alphabet[byte] = utf8(stands_for_itself(byte) ? byte : next++);
  }
  return alphabet;
}

std::unordered_map<std::string_view, char> invert(const std::array<std::string, 256>& alphabet) {
  std::unordered_map<std::string_view, char> bytes;
  for (unsigned byte = 0; byte < 256; ++byte) bytes[alphabet[byte]] = static_cast<char>(byte);
  return bytes;
}

}  // namespace

const std::array<std::string, 256>& byte_alphabet() {
  static const std::array<std::string, 256> alphabet = make_alphabet();
  return alphabet;
}

std::string to_byte_alphabet(std::string_view bytes) {
  std::string token;
  for (const char byte : bytes) token += byte_alphabet()[static_cast<unsigned char>(byte)];
  return token;
}

std::optional<std::string> from_byte_alphabet(std::string_view token) {
  static const std::unordered_map<std::string_view, char> bytes_of = invert(byte_alphabet());
  std::string bytes;
  while (!token.empty()) {
    const std::size_t length = leading_sequence(token).length;
    const auto byte = bytes_of.find(token.substr(0, length));
    if (byte == bytes_of.end()) return std::nullopt;
    bytes += byte->second;
    token.remove_prefix(length);
  }
  return bytes;
}

}  // namespace dualpath::data
