#include "data/tokenizer/nfc.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "data/base/error.h"

namespace dualpath::data {
namespace {

// U+0300, the first character that NFC may change or join to another, starts with this byte.
constexpr unsigned char kFirstChanging = 0xCC;

struct Free {
  void operator()(utf8proc_uint8_t* bytes) const { std::free(bytes); }
};

}  // namespace

std::string to_nfc(std::string_view text) {
  const auto changing = [](char c) { return static_cast<unsigned char>(c) >= kFirstChanging; };
  if (std::ranges::none_of(text, changing)) return std::string(text);
  utf8proc_uint8_t* result = nullptr;
  const utf8proc_ssize_t size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                   static_cast<utf8proc_ssize_t>(text.size()), &result,
                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  const std::unique_ptr<utf8proc_uint8_t, Free> owned(result);
  if (size < 0) throw Error("normalizing text: {}", utf8proc_errmsg(size));
  return {reinterpret_cast<const char*>(result), static_cast<std::size_t>(size)};
}

}  // namespace dualpath::data
