#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "data/patterns/regex_code.h"

namespace dualpath::data {

/// A regular expression over UTF-8, with the meaning it has in Hugging Face's `tokenizers`, whose
/// engine is Oniguruma; ours is PCRE2. Where the two differ the expression is rewritten (\s, script
/// names) or refused (\w, \b, \h, nested and intersected classes). Characters are classified by
/// PCRE2's Unicode tables. Characters that Unicode assigned later count as neither letter, digit
/// nor space. Safe to share between threads.
class Pattern {
 public:
  /// Throws an Error that shows the expression and its mistake.
  explicit Pattern(std::string_view expression);

  /// A function called for each stretch of a text in order, matched or between two matches; none is
  /// empty.
  using Visit = std::function<void(std::string_view stretch, bool matched)>;
  /// Visits the stretches of `text`, which must be valid UTF-8. Together they are the whole text.
  void for_each_stretch(std::string_view text, const Visit& visit) const;

 private:
  std::string expression_;
  RegexCode code_;
};

}  // namespace dualpath::data
