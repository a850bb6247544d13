#pragma once

#include <fmt/format.h>

#include <algorithm>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/base/error.h"
#include "data/jinja/lexer.h"
#include "data/jinja/values/runtime.h"

namespace dualpath::data::jinja {

/// The tokens of a template, one after the other, and errors that give the place.
class TokenStream {
 public:
  TokenStream(std::vector<Token> tokens, const std::string& name)
      : tokens_(std::move(tokens)), name_(name) {}

  /// Looks at a token ahead; the last one, kEnd, stays.
  const Token& peek(std::size_t ahead = 0) const {
    return tokens_[std::min(place_ + ahead, tokens_.size() - 1)];
  }
  const Token& next() {
    const Token& token = peek();
    if (place_ + 1 < tokens_.size()) ++place_;
    return token;
  }
  int line() const { return peek().line; }

  bool is(TokenKind kind) const { return peek().kind == kind; }
  bool is_operator(std::string_view text, std::size_t ahead = 0) const {
    return peek(ahead).kind == TokenKind::kOperator && peek(ahead).text == text;
  }
  bool is_name(std::string_view text, std::size_t ahead = 0) const {
    return peek(ahead).kind == TokenKind::kName && peek(ahead).text == text;
  }
  bool skip_operator(std::string_view text) { return is_operator(text) && (next(), true); }
  bool skip_name(std::string_view text) { return is_name(text) && (next(), true); }

  void expect(TokenKind kind, std::string_view what) {
    if (!is(kind)) unexpected(what);
    next();
  }
  void expect_operator(std::string_view text) {
    if (!skip_operator(text)) unexpected(fmt::format("'{}'", text));
  }
  void expect_name(std::string_view text) {
    if (!skip_name(text)) unexpected(fmt::format("'{}'", text));
  }
  std::string expect_any_name() {
    if (!is(TokenKind::kName)) unexpected("a name");
    return next().text;
  }

  [[noreturn]] void unexpected(std::string_view expected) const {
    fail("expected {}, got {}", expected, describe(peek()));
  }
  template <class... Arguments>
  [[noreturn]] void fail(fmt::format_string<Arguments...> format, Arguments&&... arguments) const {
    throw Error("{}:{}: {}", name_, line(),
                fmt::format(format, std::forward<Arguments>(arguments)...));
  }

  /// One more level of nesting, while it lives.
  class Level {
   public:
    explicit Level(TokenStream& stream) : stream_(stream) {
      if (++stream_.depth_ > kMostDepth) stream_.fail("nested too deeply");
    }
    ~Level() { --stream_.depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    TokenStream& stream_;
  };

 private:
  static std::string describe(const Token& token) {
    switch (token.kind) {
      case TokenKind::kData:
        return "text";
      case TokenKind::kVariableBegin:
        return "'{{'";
      case TokenKind::kVariableEnd:
        return "'}}'";
      case TokenKind::kBlockBegin:
        return "'{%'";
      case TokenKind::kBlockEnd:
        return "'%}'";
      case TokenKind::kString:
        return "a string";
      case TokenKind::kInteger:
      case TokenKind::kFloat:
        return "a number";
      case TokenKind::kName:
      case TokenKind::kOperator:
        return fmt::format("'{}'", printable(token.text));
      case TokenKind::kEnd:
        break;
    }
    return "the end of the template";
  }

  std::vector<Token> tokens_;
  const std::string& name_;
  std::size_t place_ = 0;
  int depth_ = 0;
};

}  // namespace dualpath::data::jinja
