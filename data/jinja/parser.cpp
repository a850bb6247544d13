#include "data/jinja/parser.h"

#include <algorithm>
#include <initializer_list>

#include "data/jinja/expression_parser.h"
#include "data/jinja/token_stream.h"

namespace dualpath::data::jinja {
namespace {

class Parser {
 public:
  Parser(std::string_view source, const std::string& name)
      : tokens_(tokenize(source, name), name), expressions_(tokens_) {}

  Body whole() {
    Body all = body({});
    if (!tokens_.is(TokenKind::kEnd)) tokens_.unexpected("the end of the template");
    return all;
  }

 private:
  /// Reads up to one of these tags, whose name comes next.
  Body body(std::initializer_list<std::string_view> ends) {
    const TokenStream::Level level(tokens_);
    Body statements;
    while (!tokens_.is(TokenKind::kEnd)) {
      const int line = tokens_.line();
      const Token& token = tokens_.next();
      if (token.kind == TokenKind::kData) {
        statements.push_back({Text{token.text}, line});
      } else if (token.kind == TokenKind::kVariableBegin) {
        statements.push_back({Output{expressions_.tuple()}, line});
        tokens_.expect(TokenKind::kVariableEnd, "'}}'");
      } else {
        if (std::ranges::any_of(ends, [&](auto end) { return tokens_.is_name(end); }))
          return statements;
        statements.push_back(statement());
        end_tag();
      }
    }
    if (ends.size() > 0) tokens_.fail("expected {}, got the end of the template", *ends.begin());
    return statements;
  }

  /// Reads up to this tag, and the tag.
  Body body_until(std::string_view end) {
    end_tag();
    Body statements = body({end});
    tokens_.next();
    return statements;
  }

  /// Reads a body that a break or continue in it cannot leave.
  Body body_of_its_own(std::string_view end) {
    const int loops = std::exchange(loops_, 0);
    Body statements = body_until(end);
    loops_ = loops;
    return statements;
  }

  void end_tag() { tokens_.expect(TokenKind::kBlockEnd, "'%}'"); }

  Statement statement() {
    const int line = tokens_.line();
    const std::string tag = tokens_.expect_any_name();
    if (tag == "set") return set(line);
    if (tag == "for") return {loop(), line};
    if (tag == "if") return {branches(), line};
    if (tag == "macro") return {macro(), line};
    if (tag == "with") return {with(), line};
    if (tag == "generation") return {Generation{body_of_its_own("endgeneration")}, line};
    if (tag == "filter") return {filter_block(), line};
    if (tag == "break" || tag == "continue") return leave(tag, line);
    tokens_.fail("the tag '{}' is not supported", printable(tag));
  }

  Statement set(int line) {
    Target to = target(/*with_attributes=*/true);
    if (tokens_.skip_operator("=")) return {Assign{std::move(to), expressions_.tuple()}, line};
    ExpressionPtr filtered = expressions_.filters(block_text());
    return {AssignBlock{std::move(to), std::move(filtered), body_until("endset")}, line};
  }

  ExpressionPtr block_text() const {
    return std::make_unique<const Expression>(Expression{Name{kBlockText}, tokens_.line()});
  }

  /// {% filter trim | upper %}: the first one has no bar.
  FilterBlock filter_block() {
    Filter first{block_text(), tokens_.expect_any_name(), {}};
    if (tokens_.is_operator("(")) tokens_.fail("arguments of a filter tag are not supported");
    ExpressionPtr filtered =
        std::make_unique<const Expression>(Expression{std::move(first), tokens_.line()});
    filtered = expressions_.filters(std::move(filtered));
    return {std::move(filtered), body_until("endfilter")};
  }

  /// Reads "a", "a, b" or "a, (b, c)". A comma at the end unpacks one value.
  Target target(bool with_attributes) {
    const TokenStream::Level level(tokens_);
    std::vector<Target> parts;
    bool unpacks = false;
    do {
      const bool ends =
          tokens_.is_name("in") || tokens_.is_operator(")") || tokens_.is(TokenKind::kBlockEnd);
      if (unpacks && ends) break;
      parts.push_back(target_part(with_attributes));
      unpacks = unpacks || tokens_.is_operator(",");
    } while (tokens_.skip_operator(","));
    if (!unpacks) return std::move(parts.front());
    return {"", "", std::move(parts)};
  }

  Target target_part(bool with_attributes) {
    if (tokens_.skip_operator("(")) {
      Target inside = target(/*with_attributes=*/false);
      tokens_.expect_operator(")");
      return inside;
    }
    Target result{own_name()};
    if (with_attributes && tokens_.skip_operator(".")) result.attribute = tokens_.expect_any_name();
    return result;
  }

  /// Reads a name that a template may set: no constant.
  std::string own_name() {
    for (const char* constant : {"true", "True", "false", "False", "none", "None"})
      if (tokens_.is_name(constant)) tokens_.fail("'{}' cannot be set", constant);
    return tokens_.expect_any_name();
  }

  For loop() {
    For result;
    if (tokens_.is_name("loop")) tokens_.fail("'loop' cannot be a loop's own name");
    result.target = target(/*with_attributes=*/false);
    tokens_.expect_name("in");
    result.items = expressions_.tuple(/*with_conditional=*/false, "recursive");
    if (tokens_.skip_name("if")) result.condition = expressions_.expression();
    if (tokens_.is_name("recursive")) tokens_.fail("recursive loops are not supported");
    end_tag();
    ++loops_;
    result.body = body({"endfor", "else"});
    --loops_;
    if (tokens_.next().text == "else") result.otherwise = body_until("endfor");
    return result;
  }

  If branches() {
    If result;
    for (;;) {
      ExpressionPtr test = expressions_.tuple(/*with_conditional=*/false);
      end_tag();
      Body then = body({"endif", "elif", "else"});
      result.branches.emplace_back(std::move(test), std::move(then));
      if (tokens_.skip_name("elif")) continue;
      if (tokens_.next().text == "else") result.otherwise = body_until("endif");
      return result;
    }
  }

  MacroDefinition macro() {
    MacroDefinition result;
    result.name = own_name();
    tokens_.expect_operator("(");
    while (!tokens_.is_operator(")")) {
      std::string name = own_name();
      ExpressionPtr fallback;
      const bool after_fallback = !result.parameters.empty() && result.parameters.back().second;
      if (tokens_.skip_operator("="))
        fallback = expressions_.expression();
      else if (after_fallback)
        tokens_.fail("a parameter without a default behind one with");
      result.parameters.emplace_back(std::move(name), std::move(fallback));
      if (!tokens_.is_operator(")")) tokens_.expect_operator(",");
    }
    tokens_.expect_operator(")");
    result.body = body_of_its_own("endmacro");
    return result;
  }

  Scoped with() {
    Scoped result;
    while (!tokens_.is(TokenKind::kBlockEnd)) {
      Target name{own_name()};
      tokens_.expect_operator("=");
      result.names.emplace_back(std::move(name), expressions_.expression());
      if (!tokens_.is(TokenKind::kBlockEnd)) tokens_.expect_operator(",");
    }
    result.body = body_until("endwith");
    return result;
  }

  Statement leave(const std::string& tag, int line) const {
    if (loops_ == 0) tokens_.fail("{} outside a loop", tag);
    if (tag == "break") return {Break{}, line};
    return {Continue{}, line};
  }

  TokenStream tokens_;
  ExpressionParser expressions_;
  int loops_ = 0;  // loops around the place that is read
};

}  // namespace

Body parse(std::string_view source, const std::string& name) {
  return Parser(source, name).whole();
}

}  // namespace dualpath::data::jinja
