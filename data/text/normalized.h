#pragma once

#include <string>
#include <string_view>

namespace dualpath::data {

/// Returns the words of a text that is spoken, as word error rates compare them. Letters, their
/// marks and numbers are kept, in Unicode's form C and lower case. An apostrophe (' or U+2019)
/// between two of them is kept as '. All else parts words; one space stands between two. text must
/// be valid UTF-8.
std::string normalized(std::string_view text);

}  // namespace dualpath::data
