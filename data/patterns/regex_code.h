#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct pcre2_real_code_8;

namespace dualpath::data {

/// PCRE2's program for one expression. Safe to share between threads.
using RegexCode = std::shared_ptr<pcre2_real_code_8>;

/// Compiles `translated`, which is `expression` as PCRE2 spells it. options: PCRE2's own. Throws an
/// Error that shows `expression` and its mistake.
RegexCode compile_regex(std::string_view expression, const std::string& translated,
                        std::uint32_t options);

/// The text of an error code of PCRE2.
std::string regex_message(int code);

}  // namespace dualpath::data
