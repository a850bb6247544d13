#include "data/patterns/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <cstdint>

#include "data/base/error.h"
#include "data/base/utf8.h"

namespace dualpath::data {
namespace {

// Unicode's White_Space property. PCRE2's own \s also takes U+180E, which is none since
// Unicode 6.3.
constexpr std::string_view kSpaces =
    R"(\x09-\x0D\x20\x85\xA0\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})";

// Escaped letters that mean the same in both engines; \s, \S, \p and \P are rewritten.
constexpr std::string_view kSameEscapes = "dDnrtfaex";
// Characters that may follow "(?". Ruby's (?m) is another option than Perl's.
constexpr std::string_view kSameGroups = ":=!<>i";

/// Reads an expression from left to right and writes it down again for PCRE2.
class Translator {
 public:
  explicit Translator(std::string_view expression) : expression_(expression) {}

  std::string run() {
    while (!at_end()) {
      const char c = take();
      if (c == '\\') {
        escape();
      } else {
        in_class_ ? inside_class(c) : outside_class(c);
        out_ += c;
      }
    }
    return std::move(out_);
  }

 private:
  bool at_end() const { return next_ == expression_.size(); }
  char take() { return expression_[next_++]; }
  bool next_is(char c) const { return !at_end() && expression_[next_] == c; }

  [[noreturn]] void refuse(std::string_view what) const {
    throw Error("regular expression '{}': {} is not supported", expression_, what);
  }

  void outside_class(char c) {
    if (c == '[') {
      in_class_ = true;
      const std::string_view rest = expression_.substr(next_);
      if (rest.starts_with(']') || rest.starts_with("^]")) refuse("a class that starts with ]");
    } else if (c == '(' && next_is('?')) {
      const std::string_view group = expression_.substr(next_ + 1, 1);
      if (kSameGroups.find(group) == std::string_view::npos) refuse(fmt::format("(?{}", group));
    } else if (c == '}' && next_is('+')) {
      refuse("a possessive interval");  // to Ruby {1,3}+ repeats the interval
    }
  }

  void inside_class(char c) {
    if (c == '[') refuse("a class inside a class");
    if (c == '&' && next_is('&')) refuse("an intersection of classes");
    if (c == ']') in_class_ = false;
  }

  void escape() {
    if (at_end()) refuse("a backslash at the end");
    const char c = take();
    if (c == 's') {
      out_ += in_class_ ? std::string(kSpaces) : fmt::format("[{}]", kSpaces);
    } else if (c == 'S' && !in_class_) {
      out_ += fmt::format("[^{}]", kSpaces);
    } else if (c == 'p' || c == 'P') {
      property(c);
    } else if (is_letter_or_digit(c) && kSameEscapes.find(c) == std::string_view::npos) {
      refuse(fmt::format("\\{}{}", c, in_class_ ? " in a class" : ""));
    } else {
      out_ += {'\\', c};
    }
  }

  // A general category (\p{L}, \p{^Lu}) means the same in both. Another name is a script's, and
  // PCRE2 must be told not to take script extensions for it.
  void property(char p) {
    const std::size_t close = expression_.find('}', next_);
    if (!next_is('{') || close == std::string_view::npos) refuse("\\p without {name}");
    const std::string_view name = expression_.substr(next_ + 1, close - next_ - 1);
    next_ = close + 1;
    const bool category = name.size() <= 2 || name.starts_with('^');
    out_ += fmt::format("\\{}{{{}{}}}", p, category ? "" : "sc:", name);
  }

  static bool is_letter_or_digit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  }

  std::string_view expression_;
  std::size_t next_ = 0;
  bool in_class_ = false;
  std::string out_;
};

RegexCode compile(std::string_view expression) {
  // In Oniguruma's (Ruby's) syntax ^ and $ stand for the ends of a line.
  const std::uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C;
  RegexCode code = compile_regex(expression, Translator(expression).run(), options);
  // If this fails, matching is slower, with equal results.
  pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE);
  return code;
}

struct MatchDataDeleter {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};
using MatchData = std::unique_ptr<pcre2_match_data, MatchDataDeleter>;

/// Looks for a match at or after `from`. The text is known to be UTF-8.
int search(const pcre2_code* code, std::string_view text, std::size_t from,
           const MatchData& match) {
  const auto attempt = [&](std::uint32_t options) {
    return pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                       options | PCRE2_NO_UTF_CHECK, match.get(), nullptr);
  };
  const int result = attempt(0);
  return result == PCRE2_ERROR_JIT_STACKLIMIT ? attempt(PCRE2_NO_JIT)
                                              : result;  // on the heap instead
}

}  // namespace

Pattern::Pattern(std::string_view expression)
    : expression_(expression), code_(compile(expression)) {}

void Pattern::for_each_stretch(std::string_view text, const Visit& visit) const {
  const MatchData match(pcre2_match_data_create(1, nullptr));
  std::size_t done = 0;
  for (std::size_t from = 0; from < text.size();) {
    const int result = search(code_.get(), text, from, match);
    if (result == PCRE2_ERROR_NOMATCH) break;
    if (result < 0) throw Error("regular expression '{}': {}", expression_, regex_message(result));
    const std::size_t* range = pcre2_get_ovector_pointer(match.get());
    const std::size_t begin = range[0], end = range[1];
    if (begin > done) visit(text.substr(done, begin - done), false);
    if (end > begin) visit(text.substr(begin, end - begin), true);
    done = end;
    // After an empty match the search goes on behind the next character.
    from = end;
    if (end == begin && end < text.size()) from += leading_sequence(text.substr(end)).length;
  }
  if (done < text.size()) visit(text.substr(done), false);
}

}  // namespace dualpath::data
