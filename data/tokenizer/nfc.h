#pragma once

#include <string>
#include <string_view>

namespace dualpath::data {

/// Normalizes to Unicode's form C: letters and marks that together have a character of their own
/// become that character. text must be valid UTF-8. The tables are those of `tokenizers`, which
/// know Unicode 9: marks that were assigned since stay in their order.
std::string to_nfc(std::string_view text);

}  // namespace dualpath::data
