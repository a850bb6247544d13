#pragma once

#include <string>
#include <string_view>

namespace dualpath::data {

/// Unicode's normalization form C: letters and marks that have a character of their own together
/// become that character. text must be valid UTF-8. By utf8proc's tables, of Unicode 15: those of
/// `tokenizers` are older and leave marks that were assigned since in the order they stand in.
std::string to_nfc(std::string_view text);

}  // namespace dualpath::data
