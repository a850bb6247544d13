#include "data/tokenizer/nfc.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>

#include "data/base/error.h"

namespace dualpath::data {
namespace {

// U+0300, the first character that NFC may change or join to another, starts with this byte.
constexpr unsigned char kFirstChanging = 0xCC;

struct CharacterRange {
  utf8proc_int32_t first, last;
};

/// Marks, and the parts of one character, that Unicode has assigned since version 9, sorted. Tables
/// of version 9 let them stand where they are, and join nothing to them.
constexpr std::array<CharacterRange, 38> kNewer{
    {{0x7FD, 0x7FD},     {0x898, 0x89F},     {0x8CA, 0x8D3},     {0x9FE, 0x9FE},
     {0xC3C, 0xC3C},     {0xD3B, 0xD3C},     {0xEBA, 0xEBA},     {0x1715, 0x1715},
     {0x1ABF, 0x1ACE},   {0x1DF6, 0x1DFA},   {0xA82C, 0xA82C},   {0x10D24, 0x10D27},
     {0x10EAB, 0x10EAC}, {0x10EFD, 0x10EFF}, {0x10F46, 0x10F50}, {0x10F82, 0x10F85},
     {0x11070, 0x11070}, {0x1133B, 0x1133B}, {0x1145E, 0x1145E}, {0x11839, 0x1183A},
     {0x11935, 0x11935}, {0x11938, 0x11938}, {0x1193D, 0x1193E}, {0x11943, 0x11943},
     {0x119E0, 0x119E0}, {0x11A34, 0x11A34}, {0x11A47, 0x11A47}, {0x11A99, 0x11A99},
     {0x11D42, 0x11D42}, {0x11D44, 0x11D45}, {0x11D97, 0x11D97}, {0x11F41, 0x11F42},
     {0x16FF0, 0x16FF1}, {0x1E08F, 0x1E08F}, {0x1E130, 0x1E136}, {0x1E2AE, 0x1E2AE},
     {0x1E2EC, 0x1E2EF}, {0x1E4EC, 0x1E4EF}}};

bool is_newer(utf8proc_int32_t character) {
  const auto range = std::ranges::lower_bound(kNewer, character, {}, &CharacterRange::last);
  return range != kNewer.end() && range->first <= character;
}

struct Free {
  void operator()(utf8proc_uint8_t* bytes) const { std::free(bytes); }
};

/// Normalizes by utf8proc's tables.
std::string normalized(std::string_view text) {
  if (text.empty()) return {};
  utf8proc_uint8_t* result = nullptr;
  const utf8proc_ssize_t size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                   static_cast<utf8proc_ssize_t>(text.size()), &result,
                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  const std::unique_ptr<utf8proc_uint8_t, Free> owned(result);
  if (size < 0) throw Error("normalizing text: {}", utf8proc_errmsg(size));
  return {reinterpret_cast<const char*>(result), static_cast<std::size_t>(size)};
}

}  // namespace

std::string to_nfc(std::string_view text) {
  const auto changing = [](char c) { return static_cast<unsigned char>(c) >= kFirstChanging; };
  if (std::ranges::none_of(text, changing)) return std::string(text);
  std::string result;
  std::size_t begin = 0;  // of the piece that holds no newer character
  for (std::size_t at = 0; at < text.size();) {
    utf8proc_int32_t character = 0;
    const utf8proc_ssize_t length =
        utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data() + at),
                         static_cast<utf8proc_ssize_t>(text.size() - at), &character);
    if (length < 0) throw Error("normalizing text: {}", utf8proc_errmsg(length));
    const std::size_t next = at + static_cast<std::size_t>(length);
    if (is_newer(character)) {
      result += normalized(text.substr(begin, at - begin));
      result += text.substr(at, next - at);
      begin = next;
    }
    at = next;
  }
  return result + normalized(text.substr(begin));
}

}  // namespace dualpath::data
