#pragma once

#include "data/jinja/syntax.h"
#include "data/jinja/token_stream.h"

namespace dualpath::data::jinja {

/// Reads expressions, with Jinja's precedences:
///   if-else < or < and < not < comparisons, in < + - < ~ < * / // % < ** < unary - +
///   < . [] () | is
class ExpressionParser {
 public:
  explicit ExpressionParser(TokenStream& tokens) : tokens_(tokens) {}

  ExpressionPtr expression(bool with_conditional = true);
  /// Reads one expression, or several with commas between: a tuple. end: a name that may stand
  /// behind a last comma.
  ExpressionPtr tuple(bool with_conditional = true, std::string_view end = {});
  /// Reads the filters behind `value`.
  ExpressionPtr filters(ExpressionPtr value);

 private:
  ExpressionPtr conditional();
  ExpressionPtr any_of();
  ExpressionPtr all_of();
  ExpressionPtr negation();
  ExpressionPtr comparison();
  ExpressionPtr sum();
  ExpressionPtr concatenation();
  ExpressionPtr product();
  ExpressionPtr power();
  ExpressionPtr unary(bool with_filters = true);
  ExpressionPtr primary();
  ExpressionPtr name_or_constant();
  ExpressionPtr strings();
  ExpressionPtr parentheses();
  ExpressionPtr list();
  ExpressionPtr dict();
  ExpressionPtr postfix(ExpressionPtr value);
  ExpressionPtr filters_and_tests(ExpressionPtr value);
  ExpressionPtr filter(ExpressionPtr value);
  ExpressionPtr test(ExpressionPtr value);
  ExpressionPtr attribute(ExpressionPtr object);
  ExpressionPtr subscript(ExpressionPtr object);
  Arguments arguments();
  bool ends_tuple(std::string_view end) const;

  /// Counts a link of a chain (a + b + c …). A chain's tree is as deep as the chain is long, so its
  /// length is bounded, too.
  void grow() {
    constexpr int kMost = 400;
    if (++grown_ > kMost) tokens_.fail("too long an expression");
  }

  TokenStream& tokens_;
  int nested_ = 0, grown_ = 0;
};

}  // namespace dualpath::data::jinja
