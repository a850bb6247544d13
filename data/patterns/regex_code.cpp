#include "data/patterns/regex_code.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>

#include "data/base/error.h"

namespace dualpath::data {

RegexCode compile_regex(std::string_view expression, const std::string& translated,
                        std::uint32_t options) {
  int error = 0;
  std::size_t offset = 0;
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()),
                                   translated.size(), options, &error, &offset, nullptr);
  if (code == nullptr) throw Error("regular expression '{}': {}", expression, regex_message(error));
  return {code, pcre2_code_free};
}

std::string regex_message(int code) {
  std::array<PCRE2_UCHAR, 256> buffer{};
  pcre2_get_error_message(code, buffer.data(), buffer.size());
  return reinterpret_cast<const char*>(buffer.data());
}

}  // namespace dualpath::data
