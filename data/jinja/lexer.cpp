#include "data/jinja/lexer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "data/base/error.h"
#include "data/jinja/values/python_text.h"

namespace dualpath::data::jinja {
namespace {

/// The source with one kind of line end, and none at the very end.
std::string normalized(std::string_view source) {
  std::string text;
  for (std::size_t i = 0; i < source.size(); ++i) {
    const bool is_return = source[i] == '\r';
    if (is_return && i + 1 < source.size() && source[i + 1] == '\n') ++i;
    text += is_return ? '\n' : source[i];
  }
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

bool is_ascii_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name_part(char c) { return is_name_start(c) || is_ascii_digit(c); }

/// The operators, the longest first.
constexpr std::array<std::string_view, 26> kOperators{
    "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
    "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";"};

class Lexer {
 public:
  Lexer(std::string_view source, const std::string& name) : source_(source), name_(name) {}

  std::vector<Token> tokens() {
    while (place_ < source_.size()) read_data();
    push(TokenKind::kEnd);
    return std::move(tokens_);
  }

 private:
  template <class... Arguments>
  [[noreturn]] void fail(fmt::format_string<Arguments...> format, Arguments&&... arguments) const {
    throw Error("{}:{}: {}", name_, line_,
                fmt::format(format, std::forward<Arguments>(arguments)...));
  }

  std::string_view rest() const { return source_.substr(place_); }
  char peek(std::size_t ahead = 0) const {
    return place_ + ahead < source_.size() ? source_[place_ + ahead] : '\0';
  }
  void advance(std::size_t bytes) {
    line_ += static_cast<int>(std::ranges::count(source_.substr(place_, bytes), '\n'));
    place_ += bytes;
  }
  bool skip(std::string_view text) {
    const bool there = rest().starts_with(text);
    if (there) advance(text.size());
    return there;
  }
  void skip_space() { advance(rest().size() - stripped(rest(), Side::kLeft).size()); }

  void push(TokenKind kind, std::string text = {}) {
    tokens_.push_back({kind, line_, std::move(text)});
  }
  void push_data(std::string_view text) {
    if (!text.empty()) push(TokenKind::kData, std::string(text));
  }

  /// Reads the text up to the next tag, and the tag.
  void read_data() {
    std::size_t tag = place_;
    do {
      tag = std::min(source_.find('{', tag), source_.size());
    } while (tag < source_.size() && !is_tag(tag) && ++tag);
    const std::string_view text = source_.substr(place_, tag - place_);
    if (tag == source_.size()) return push_data(text), advance(text.size());
    const char sign = tag + 2 < source_.size() ? source_[tag + 2] : '\0', kind = source_[tag + 1];
    push_data(before_tag(text, kind, sign));
    advance(text.size() + 2 + (sign == '-' || sign == '+' ? 1 : 0));
    if (kind == '#')
      read_comment();
    else if (kind == '{')
      read_variable();
    else if (!read_raw())
      read_block();
  }

  bool is_tag(std::size_t place) const {
    if (place + 1 == source_.size()) return false;
    const char kind = source_[place + 1];
    return kind == '{' || kind == '%' || kind == '#';
  }

  /// The part of the text before a tag that stays.
  std::string_view before_tag(std::string_view text, char kind, char sign) const {
    if (sign == '-') return stripped(text, Side::kRight);
    if (sign == '+' || kind == '{') return text;
    const std::size_t newline = text.rfind('\n');
    const std::size_t line = newline == text.npos ? 0 : newline + 1;
    const bool at_line_start = line > 0 || place_ == 0 || source_[place_ - 1] == '\n';
    const std::string_view last = text.substr(line);
    return at_line_start && stripped(last).empty() ? text.substr(0, line) : text;
  }

  /// Trims the text behind the end of a block or comment. sign: the character before that end.
  void trim_after(char sign) {
    if (sign == '-')
      skip_space();
    else if (sign != '+')
      skip("\n");
  }

  void read_comment() {
    const std::size_t end = source_.find("#}", place_);
    if (end == source_.npos) fail("a comment without an end");
    const char sign = end > place_ ? source_[end - 1] : '\0';
    advance(end + 2 - place_);
    trim_after(sign);
  }

  /// Reads {% raw %} … {% endraw %}, whose text stays unchanged.
  bool read_raw() {
    const std::size_t start = place_;
    const int line = line_;
    skip_space();
    const bool named = skip("raw");
    skip_space();
    if (!named || !(rest().starts_with("%}") || rest().starts_with("-%}"))) {
      place_ = start;
      line_ = line;
      return false;
    }
    if (skip("-%}"))
      skip_space();
    else
      advance(2);
    for (std::size_t tag = place_; (tag = source_.find("{%", tag)) != source_.npos; ++tag) {
      if (end_raw(tag)) return true;
    }
    fail("raw without endraw");
  }

  /// Whether the tag is endraw. If so, reads to its end.
  bool end_raw(std::size_t tag) {
    std::string_view end = source_.substr(tag + 2);
    const auto sign_at = [](std::string_view text) {
      return !text.empty() && (text[0] == '-' || text[0] == '+') ? text[0] : '\0';
    };
    const auto skip_sign = [&] {
      const char sign = sign_at(end);
      if (sign != '\0') end.remove_prefix(1);
      return sign;
    };
    const auto skip_text = [&](std::string_view text) {
      const bool there = end.starts_with(text);
      if (there) end.remove_prefix(text.size());
      return there;
    };
    const char first = skip_sign();
    end = stripped(end, Side::kLeft);
    if (!skip_text("endraw")) return false;
    end = stripped(end, Side::kLeft);
    const char last = skip_sign();
    if (!skip_text("%}")) return false;
    push_data(before_tag(source_.substr(place_, tag - place_), '%', first));
    advance(rest().size() - end.size());
    trim_after(last);
    return true;
  }

  void read_variable() {
    push(TokenKind::kVariableBegin);
    const char sign = read_tag("}}", /*signs=*/"-");
    push(TokenKind::kVariableEnd);
    advance(2);
    if (sign == '-') skip_space();
  }

  void read_block() {
    push(TokenKind::kBlockBegin);
    const char sign = read_tag("%}", /*signs=*/"-+");
    push(TokenKind::kBlockEnd);
    advance(2);
    trim_after(sign);
  }

  /// Reads the tokens up to `end`. Returns the sign before it.
  char read_tag(std::string_view end, std::string_view signs) {
    std::string open;  // the closing brackets still to come
    for (;;) {
      skip_space();
      if (place_ == source_.size()) fail("a tag without an end: expected {}", end);
      if (open.empty()) {
        if (rest().starts_with(end)) return '\0';
        if (signs.find(peek()) != signs.npos && rest().substr(1).starts_with(end)) {
          const char sign = peek();
          advance(1);
          return sign;
        }
      }
      read_token(open);
    }
  }

  void read_token(std::string& open) {
    const char c = peek();
    const bool after_dot = place_ > 0 && source_[place_ - 1] == '.';
    if (is_ascii_digit(c)) return read_number(after_dot);
    if (is_name_start(c)) {
      std::size_t size = 1;
      while (is_name_part(peek(size))) ++size;
      push(TokenKind::kName, std::string(rest().substr(0, size)));
      return advance(size);
    }
    if (c == '"' || c == '\'') return read_string(c);
    for (const std::string_view op : kOperators) {
      if (!rest().starts_with(op)) continue;
      balance(op, open);
      push(TokenKind::kOperator, std::string(op));
      return advance(op.size());
    }
    fail("unexpected character '{}'", printable(characters(rest().substr(0, 4)).front()));
  }

  void balance(std::string_view op, std::string& open) const {
    if (op == "(")
      open += ')';
    else if (op == "[")
      open += ']';
    else if (op == "{")
      open += '}';
    else if (op == ")" || op == "]" || op == "}") {
      if (!open.ends_with(op)) fail("unexpected '{}'", op);
      open.pop_back();
    }
  }

  std::size_t digits(std::size_t from) const {
    std::size_t end = from;
    while (is_ascii_digit(peek(end)) ||
           (peek(end) == '_' && end > from && is_ascii_digit(peek(end + 1))))
      ++end;
    return end;
  }

  /// Counts leading zeros. An int that begins with 0 has no other digits; digits behind are the
  /// next token, and an error.
  std::size_t zeros() const {
    std::size_t end = 1;
    while (peek(end) == '0' || (peek(end) == '_' && peek(end + 1) == '0')) ++end;
    return end;
  }

  /// Reads a number. after_dot: `x.0.1` has two subscripts, no number 0.1.
  void read_number(bool after_dot) {
    std::size_t size = digits(0);
    if (size == 1 && peek() == '0' &&
        std::string_view("xXbBoO").find(peek(1)) != std::string_view::npos)
      fail("numbers that are not decimal are not supported");
    bool is_float = false;
    if (!after_dot) {
      if (peek(size) == '.' && is_ascii_digit(peek(size + 1))) {
        is_float = true;
        size = digits(size + 1);
      }
      if (peek(size) == 'e' || peek(size) == 'E') {
        const std::size_t sign = peek(size + 1) == '+' || peek(size + 1) == '-' ? 1 : 0;
        if (is_ascii_digit(peek(size + 1 + sign))) {
          is_float = true;
          size = digits(size + 1 + sign);
        }
      }
    }
    if (!is_float && peek() == '0') size = zeros();
    std::string text(rest().substr(0, size));
    std::erase(text, '_');
    Token token{is_float ? TokenKind::kFloat : TokenKind::kInteger, line_};
    const char* end = text.data() + text.size();
    const auto read = is_float ? std::from_chars(text.data(), end, token.real)
                               : std::from_chars(text.data(), end, token.integer);
    if (read.ec != std::errc() || read.ptr != end) fail("number out of range: {}", printable(text));
    tokens_.push_back(std::move(token));
    advance(size);
  }

  void read_string(char quote) {
    const int line = line_;
    std::string text;
    std::size_t at = 1;
    for (char c; (c = peek(at)) != quote;) {
      if (place_ + at >= source_.size()) fail("a string without an end");
      if (c == '\\') {
        at += 1 + read_escape(rest().substr(at + 1), text);
      } else {
        text += c;
        ++at;
      }
    }
    push(TokenKind::kString, std::move(text));
    tokens_.back().line = line;
    advance(at + 1);
  }

  /// Reads an escape. text: behind the backslash. Returns the number of bytes read.
  std::size_t read_escape(std::string_view text, std::string& into) const {
    if (text.empty()) fail("a string without an end");
    constexpr std::string_view kLetters = "abfnrtv\\'\"", kBytes = "\a\b\f\n\r\t\v\\'\"";
    const char c = text[0];
    if (const std::size_t letter = kLetters.find(c); letter != kLetters.npos)
      return into += kBytes[letter], 1;
    if (c == '\n') return 1;
    if (c >= '0' && c <= '7') {
      std::size_t size = 1;
      while (size < 3 && size < text.size() && text[size] >= '0' && text[size] <= '7') ++size;
      return read_code(text.substr(0, size), 8, into), size;
    }
    if (c == 'x') return read_code(text.substr(1, 2), 16, into, 2), 3;
    if (c == 'u') return read_code(text.substr(1, 4), 16, into, 4), 5;
    if (c == 'U') return read_code(text.substr(1, 8), 16, into, 8), 9;
    if (c == 'N') fail("the escape \\N is not supported");
    if (static_cast<unsigned char>(c) >= 0x80)
      fail("a backslash before a character that is not ASCII is not supported");
    into += '\\';  // Python keeps an escape that it does not know
    return 0;
  }

  void read_code(std::string_view digits, int base, std::string& into,
                 std::size_t wanted = 0) const {
    std::uint32_t code = 0;
    const char* end = digits.data() + digits.size();
    const auto read = std::from_chars(digits.data(), end, code, base);
    const bool is_character = code < 0xD800 || (code > 0xDFFF && code < 0x110000);
    if (read.ec != std::errc() || read.ptr != end || (wanted && digits.size() != wanted) ||
        !is_character)
      fail("a broken escape in a string");
    into += utf8_of(code);
  }

  std::string_view source_;
  const std::string& name_;
  std::size_t place_ = 0;
  int line_ = 1;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source, const std::string& name) {
  const std::string text = normalized(source);
  return Lexer(text, name).tokens();
}

}  // namespace dualpath::data::jinja
