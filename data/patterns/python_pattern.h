#pragma once

#include <string>
#include <string_view>

#include "data/patterns/regex_code.h"

namespace dualpath::data {

/// A regular expression with the meaning it has in Python's `re`; our engine is PCRE2. Spellings
/// that differ are rewritten (\Z, \v, \s, octal and \u escapes, {,n}, named groups). Constructs
/// that Python does not have are refused by name: \K, \R, (?<name>, POSIX classes, recursion,
/// verbs. So are constructs that are not served: conditional groups, the flags a, L and x, \N{…},
/// alternatives inside a look-behind. Safe to share between threads.
class PythonPattern {
 public:
  /// Throws an Error that shows the expression and its mistake.
  explicit PythonPattern(std::string_view expression);

  /// Whether re.match finds it: from the start of the text, not to its end. Throws Error if the
  /// text is not UTF-8 or the search does not end after a million steps.
  bool matches_start(std::string_view text) const;

 private:
  std::string expression_;
  RegexCode code_;
};

}  // namespace dualpath::data
