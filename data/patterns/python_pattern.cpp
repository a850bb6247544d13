#include "data/patterns/python_pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <vector>

#include "data/base/error.h"

namespace dualpath::data {
namespace {

/// The characters of str.isspace().
constexpr std::string_view kPythonSpaces =
    R"(\x09-\x0D\x1C-\x20\x85\xA0\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})";

// Letters whose escapes mean the same in both languages: classes, and single characters.
constexpr std::string_view kSameClasses = "dDwW", kSameCharacters = "afnrt";

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_octal(char c) { return c >= '0' && c <= '7'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool contains(std::string_view text, char c) { return text.find(c) != std::string_view::npos; }

/// Reads an expression from left to right, like Python's parser, and writes it down again for
/// PCRE2.
class PythonTranslator {
 public:
  explicit PythonTranslator(std::string_view expression) : expression_(expression) {}

  std::string run() {
    while (!at_end()) piece();
    return flags_ + out_;
  }

 private:
  /// The item that a quantifier would repeat.
  enum class Last { kNothing, kItem, kRepeat };
  struct Group {
    int number;  // 0 if it captures nothing
    bool looks_behind;
  };

  bool at_end() const { return next_ == expression_.size(); }
  bool next_is(char c) const { return !at_end() && expression_[next_] == c; }
  char take() {
    if (at_end()) refuse("it ends in the middle");
    return expression_[next_++];
  }
  bool take_if(char c) {
    if (!next_is(c)) return false;
    ++next_;
    return true;
  }
  template <class Predicate>
  std::string_view take_while(Predicate belongs, std::size_t at_most = std::string_view::npos) {
    const std::size_t start = next_;
    while (!at_end() && next_ - start < at_most && belongs(expression_[next_])) ++next_;
    return expression_.substr(start, next_ - start);
  }
  std::string_view take_up_to(char end) {
    const std::string_view text = take_while([&](char c) { return c != end; });
    take();
    return text;
  }

  [[noreturn]] void refuse(std::string_view what) const {
    throw Error("regular expression '{}': {}", expression_, what);
  }
  [[noreturn]] void refuse_construct(std::string_view construct) const {
    refuse(fmt::format("{} is not supported", construct));
  }

  void put(std::string_view text, Last last) {
    out_ += text;
    last_ = last;
  }

  void piece() {
    const char c = take();
    switch (c) {
      case '\\':
        return escape();
      case '[':
        return character_class();
      case '(':
        return open_group();
      case ')':
        return close_group();
      case '|':
        if (looks_behind()) refuse_construct("| inside a look-behind");
        return put("|", Last::kNothing);
      case '^':
      case '$':
        return put({&c, 1}, Last::kNothing);
      case '*':
      case '+':
      case '?':
        return repeat({&c, 1});
      case '{':
        return interval();
      default:
        return put({&c, 1}, Last::kItem);
    }
  }

  void repeat(std::string_view quantifier) {
    if (last_ == Last::kNothing)
      refuse(fmt::format("there is nothing that {} repeats", quantifier));
    if (last_ == Last::kRepeat) refuse(fmt::format("{} behind another quantifier", quantifier));
    const bool is_fixed = quantifier.find(',') == quantifier.npos;
    if (looks_behind() && (quantifier.size() == 1 || !is_fixed))
      refuse_construct(fmt::format("{} inside a look-behind", quantifier));
    put(quantifier, Last::kRepeat);
    if (next_is('?') || next_is('+')) out_ += take();  // lazy, possessive
  }

  /// A brace that is no quantifier stands for itself.
  void interval() {
    const std::size_t start = next_;
    const std::string_view low = take_while(is_digit);
    const bool has_comma = take_if(',');
    const std::string_view high = has_comma ? take_while(is_digit) : "";
    if ((low.empty() && !has_comma) || !take_if('}')) {
      next_ = start;
      return put("\\{", Last::kItem);
    }
    const std::string_view least = low.empty() ? "0" : low;
    repeat(has_comma ? fmt::format("{{{},{}}}", least, high) : fmt::format("{{{}}}", least));
  }

  void escape() {
    const char c = take();
    if (c == 'A' || c == 'b' || c == 'B') return put(std::string{'\\', c}, Last::kNothing);
    if (c == 'Z') return put("\\z", Last::kNothing);
    if (c == 's') return put(fmt::format("[{}]", kPythonSpaces), Last::kItem);
    if (c == 'S') return put(fmt::format("[^{}]", kPythonSpaces), Last::kItem);
    if (is_digit(c) && c != '0') return numbered(c);
    put(escaped(c), Last::kItem);
  }

  /// An escape with one meaning inside and outside of a class.
  std::string escaped(char c) {
    if (c == 'v') return "\\x0B";
    if (c == 'x') return hex(2);
    if (c == 'u') return hex(4);
    if (c == 'U') return hex(8);
    if (c == '0') return octal(fmt::format("0{}", take_while(is_octal, 2)));
    if (is_digit(c) ||
        (is_letter(c) && !contains(kSameClasses, c) && !contains(kSameCharacters, c)))
      refuse_construct(fmt::format("\\{}", c));
    const bool is_ascii = static_cast<unsigned char>(c) < 0x80;
    return is_ascii ? std::string{'\\', c} : std::string{c};
  }

  std::string hex(std::size_t digits) {
    const std::string_view value = take_while(is_hex, digits);
    if (value.size() < digits) refuse(fmt::format("expected {} hexadecimal digits", digits));
    return fmt::format("\\x{{{}}}", value);
  }

  std::string octal(const std::string& digits) const {
    const int value = std::stoi(digits, nullptr, 8);
    if (value > 0377) refuse(fmt::format("\\{} is above \\377", digits));
    return fmt::format("\\x{{{:x}}}", value);
  }

  /// A group's number, or three octal digits.
  void numbered(char first) {
    std::string digits{first};
    digits += take_while(is_digit, 1);
    const bool is_octal_code = digits.size() == 2 && std::ranges::all_of(digits, is_octal) &&
                               !at_end() && is_octal(expression_[next_]);
    if (is_octal_code) return put(octal(digits + take()), Last::kItem);
    refer_to(std::stoi(digits), digits);
  }

  void refer_to(int group, std::string_view name) {
    if (group > groups_) refuse(fmt::format("there is no group {} before this", name));
    if (looks_behind()) refuse_construct("a reference inside a look-behind");
    if (std::ranges::find(open_, group, &Group::number) != open_.end())
      refuse(fmt::format("a reference to group {} inside of it", name));
    put(fmt::format("\\g{{{}}}", group), Last::kItem);
  }

  void character_class() {
    std::string text = take_if('^') ? "[^" : "[";
    if (take_if(']')) text += "\\]";
    for (char c = take(); c != ']'; c = take()) text += in_class(c);
    put(text + "]", Last::kItem);
  }

  std::string in_class(char c) {
    if (c == '[') {
      if (next_is(':') || next_is('.') || next_is('=')) refuse_construct("a POSIX class");
      return "\\[";
    }
    if (c != '\\') return {c};
    c = take();
    if (c == 'b') return "\\x08";
    if (c == 's') return std::string(kPythonSpaces);
    if (c == 'S') return "\\S";  // a class has no way to say all but Python's few spaces more
    if (is_octal(c)) return octal(std::string{c} + std::string(take_while(is_octal, 2)));
    return escaped(c);
  }

  void open_group() {
    if (!take_if('?')) return open("(", ++groups_);
    const char c = take();
    if (c == '#') return static_cast<void>(take_up_to(')'));
    if (c == ':' || c == '=' || c == '!' || c == '>') return open(std::string("(?") + c, 0);
    if (c == '<') return look_behind();
    if (c == 'P') return python_group();
    if (is_letter(c) || c == '-') return flags(c);
    refuse_construct(fmt::format("(?{}", c));
  }

  void look_behind() {
    const char c = take();
    if (c != '=' && c != '!') refuse_construct("(?<name>, which Python writes (?P<name>,");
    open(std::string("(?<") + c, 0, /*looks_behind=*/true);
  }

  void python_group() {
    const char c = take();
    if (c == '=') {
      const std::string name(take_up_to(')'));
      const auto found = names_.find(name);
      if (found == names_.end()) refuse(fmt::format("there is no group {} before this", name));
      return refer_to(found->second, name);
    }
    if (c != '<') refuse_construct(fmt::format("(?P{}", c));
    const std::string name(take_up_to('>'));
    const bool is_identifier =
        !name.empty() && !is_digit(name[0]) && std::ranges::all_of(name, [](char letter) {
          return is_letter(letter) || is_digit(letter) || letter == '_';
        });
    if (!is_identifier) refuse(fmt::format("'{}' is no name of a group", name));
    if (!names_.emplace(name, ++groups_).second) refuse(fmt::format("two groups {}", name));
    open("(", groups_);
  }

  /// "(?i)" at the start is for the whole expression, "(?i:…)" and "(?-i:…)" for the group.
  void flags(char first) {
    std::string letters;
    for (char c = first; c != ')' && c != ':'; c = take()) {
      if (!contains("imsu-", c)) refuse_construct(fmt::format("(?{}{}", letters, c));
      if (c != 'u') letters += c;  // Unicode is the default
    }
    const bool is_global = expression_[next_ - 1] == ')';
    if (!is_global && !letters.ends_with('-')) return open(fmt::format("(?{}:", letters), 0);
    if (letters.find('-') != letters.npos) refuse_construct(fmt::format("(?{})", letters));
    if (!out_.empty()) refuse(fmt::format("(?{}) is not at the start", letters));
    flags_ += fmt::format("(?{})", letters);
  }

  void open(std::string_view text, int number, bool is_look_behind = false) {
    open_.push_back({number, is_look_behind});
    put(text, Last::kNothing);
  }

  void close_group() {
    if (open_.empty()) refuse("a ) without its (");
    open_.pop_back();
    put(")", Last::kItem);
  }

  bool looks_behind() const { return std::ranges::any_of(open_, &Group::looks_behind); }

  std::string_view expression_;
  std::size_t next_ = 0;
  Last last_ = Last::kNothing;
  int groups_ = 0;
  std::vector<Group> open_;
  std::map<std::string, int> names_;
  std::string flags_, out_;
};

RegexCode compile_python(std::string_view expression) {
  const std::uint32_t options =
      PCRE2_UTF | PCRE2_UCP | PCRE2_ALT_CIRCUMFLEX | PCRE2_NEVER_BACKSLASH_C;
  return compile_regex(expression, PythonTranslator(expression).run(), options);
}

struct Deleter {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};

}  // namespace

PythonPattern::PythonPattern(std::string_view expression)
    : expression_(expression), code_(compile_python(expression)) {}

bool PythonPattern::matches_start(std::string_view text) const {
  const std::unique_ptr<pcre2_match_data, Deleter> match(pcre2_match_data_create(1, nullptr));
  const std::unique_ptr<pcre2_match_context, Deleter> limits(pcre2_match_context_create(nullptr));
  pcre2_set_match_limit(limits.get(), 1'000'000);
  const int result = pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()),
                                 text.size(), 0, PCRE2_ANCHORED, match.get(), limits.get());
  if (result < 0 && result != PCRE2_ERROR_NOMATCH) {
    throw Error("regular expression '{}': '{}': {}", expression_, printable(text),
                regex_message(result));
  }
  return result >= 0;
}

}  // namespace dualpath::data
