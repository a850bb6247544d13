#include "data/jinja/expression_parser.h"

#include <algorithm>
#include <array>

namespace dualpath::data::jinja {
namespace {

template <class Form>
ExpressionPtr made(int line, Form form) {
  return std::make_unique<const Expression>(Expression{std::move(form), line});
}

bool is_negative_number(const Expression& expression) {
  const auto* unary = std::get_if<Unary>(&expression.form);
  return unary && unary->op == "-" && std::holds_alternative<Literal>(unary->operand->form);
}

}  // namespace

ExpressionPtr ExpressionParser::expression(bool with_conditional) {
  const TokenStream::Level level(tokens_);
  if (nested_++ == 0) grown_ = 0;
  ExpressionPtr result = with_conditional ? conditional() : any_of();
  --nested_;
  return result;
}

ExpressionPtr ExpressionParser::tuple(bool with_conditional, std::string_view end) {
  const int line = tokens_.line();
  ExpressionPtr first = expression(with_conditional);
  if (!tokens_.is_operator(",")) return first;
  SequenceDisplay display{{}, /*is_tuple=*/true};
  display.items.push_back(std::move(first));
  while (tokens_.skip_operator(",") && !ends_tuple(end))
    display.items.push_back(expression(with_conditional));
  return made(line, std::move(display));
}

bool ExpressionParser::ends_tuple(std::string_view end) const {
  return tokens_.is(TokenKind::kVariableEnd) || tokens_.is(TokenKind::kBlockEnd) ||
         tokens_.is_operator(")") || (!end.empty() && tokens_.is_name(end));
}

ExpressionPtr ExpressionParser::conditional() {
  const int line = tokens_.line();
  ExpressionPtr value = any_of();
  while (tokens_.skip_name("if")) {
    grow();
    ExpressionPtr test = any_of(), otherwise;
    if (tokens_.skip_name("else")) otherwise = expression();
    value = made(line, Conditional{std::move(value), std::move(test), std::move(otherwise)});
  }
  return value;
}

ExpressionPtr ExpressionParser::any_of() {
  const int line = tokens_.line();
  ExpressionPtr left = all_of();
  for (; tokens_.skip_name("or"); grow())
    left = made(line, Binary{"or", std::move(left), all_of()});
  return left;
}

ExpressionPtr ExpressionParser::all_of() {
  const int line = tokens_.line();
  ExpressionPtr left = negation();
  for (; tokens_.skip_name("and"); grow())
    left = made(line, Binary{"and", std::move(left), negation()});
  return left;
}

ExpressionPtr ExpressionParser::negation() {
  const TokenStream::Level level(tokens_);
  const int line = tokens_.line();
  if (tokens_.skip_name("not")) return made(line, Unary{"not", negation()});
  return comparison();
}

ExpressionPtr ExpressionParser::comparison() {
  constexpr std::array kOperators{"==", "!=", "<", "<=", ">", ">="};
  const int line = tokens_.line();
  Comparison result{sum(), {}};
  const auto compared_by = [&]() -> std::string {
    for (const char* op : kOperators)
      if (tokens_.skip_operator(op)) return op;
    if (tokens_.skip_name("in")) return "in";
    if (!tokens_.is_name("not") || !tokens_.is_name("in", 1)) return "";
    tokens_.next();
    tokens_.next();
    return "not in";
  };
  for (std::string op; !(op = compared_by()).empty();) result.rest.emplace_back(op, sum());
  return result.rest.empty() ? std::move(result.first) : made(line, std::move(result));
}

ExpressionPtr ExpressionParser::sum() {
  const int line = tokens_.line();
  ExpressionPtr left = concatenation();
  for (; tokens_.is_operator("+") || tokens_.is_operator("-"); grow()) {
    std::string op = tokens_.next().text;
    left = made(line, Binary{std::move(op), std::move(left), concatenation()});
  }
  return left;
}

ExpressionPtr ExpressionParser::concatenation() {
  const int line = tokens_.line();
  ExpressionPtr left = product();
  for (; tokens_.skip_operator("~"); grow())
    left = made(line, Binary{"~", std::move(left), product()});
  return left;
}

ExpressionPtr ExpressionParser::product() {
  const auto is_next = [&] {
    return tokens_.is_operator("*") || tokens_.is_operator("/") || tokens_.is_operator("//") ||
           tokens_.is_operator("%");
  };
  const int line = tokens_.line();
  ExpressionPtr left = power();
  for (; is_next(); grow()) {
    std::string op = tokens_.next().text;
    left = made(line, Binary{std::move(op), std::move(left), power()});
  }
  return left;
}

ExpressionPtr ExpressionParser::power() {
  const int line = tokens_.line();
  ExpressionPtr left = unary();
  for (; tokens_.skip_operator("**"); grow()) {
    ExpressionPtr right = unary();
    // Jinja leaves out the parentheses here when it writes Python: (-2) ** x becomes -(2 ** x).
    if (is_negative_number(*left) && !std::holds_alternative<Literal>(right->form))
      tokens_.fail("'**' of a negative number is not supported");
    left = made(line, Binary{"**", std::move(left), std::move(right)});
  }
  return left;
}

ExpressionPtr ExpressionParser::unary(bool with_filters) {
  const TokenStream::Level level(tokens_);
  const int line = tokens_.line();
  ExpressionPtr value;
  if (tokens_.is_operator("-") || tokens_.is_operator("+")) {
    std::string op = tokens_.next().text;
    value = made(line, Unary{std::move(op), unary(/*with_filters=*/false)});
  } else {
    value = primary();
  }
  value = postfix(std::move(value));
  return with_filters ? filters_and_tests(std::move(value)) : std::move(value);
}

ExpressionPtr ExpressionParser::primary() {
  const int line = tokens_.line();
  if (tokens_.is(TokenKind::kName)) return name_or_constant();
  if (tokens_.is(TokenKind::kString)) return strings();
  if (tokens_.is(TokenKind::kInteger)) return made(line, Literal{Value(tokens_.next().integer)});
  if (tokens_.is(TokenKind::kFloat)) return made(line, Literal{Value(tokens_.next().real)});
  if (tokens_.is_operator("(")) return parentheses();
  if (tokens_.is_operator("[")) return list();
  if (tokens_.is_operator("{")) return dict();
  tokens_.unexpected("an expression");
}

ExpressionPtr ExpressionParser::name_or_constant() {
  const int line = tokens_.line();
  std::string name = tokens_.next().text;
  if (name == "true" || name == "True") return made(line, Literal{Value(true)});
  if (name == "false" || name == "False") return made(line, Literal{Value(false)});
  if (name == "none" || name == "None") return made(line, Literal{Value()});
  return made(line, Name{std::move(name)});
}

ExpressionPtr ExpressionParser::strings() {
  const int line = tokens_.line();
  std::string text;
  while (tokens_.is(TokenKind::kString)) text += tokens_.next().text;
  return made(line, Literal{Value(std::move(text))});
}

ExpressionPtr ExpressionParser::parentheses() {
  const int line = tokens_.line();
  tokens_.expect_operator("(");
  if (tokens_.skip_operator(")")) return made(line, SequenceDisplay{{}, /*is_tuple=*/true});
  ExpressionPtr inside = tuple();
  tokens_.expect_operator(")");
  return inside;
}

ExpressionPtr ExpressionParser::list() {
  const int line = tokens_.line();
  tokens_.expect_operator("[");
  SequenceDisplay display{{}, /*is_tuple=*/false};
  while (!tokens_.is_operator("]")) {
    display.items.push_back(expression());
    if (!tokens_.is_operator("]")) tokens_.expect_operator(",");
  }
  tokens_.expect_operator("]");
  return made(line, std::move(display));
}

ExpressionPtr ExpressionParser::dict() {
  const int line = tokens_.line();
  tokens_.expect_operator("{");
  DictDisplay display;
  while (!tokens_.is_operator("}")) {
    ExpressionPtr key = expression();
    tokens_.expect_operator(":");
    display.items.emplace_back(std::move(key), expression());
    if (!tokens_.is_operator("}")) tokens_.expect_operator(",");
  }
  tokens_.expect_operator("}");
  return made(line, std::move(display));
}

ExpressionPtr ExpressionParser::postfix(ExpressionPtr value) {
  for (;; grow()) {
    const int line = tokens_.line();
    if (tokens_.is_operator(".")) {
      value = attribute(std::move(value));
    } else if (tokens_.is_operator("[")) {
      value = subscript(std::move(value));
    } else if (tokens_.is_operator("(")) {
      value = made(line, Call{std::move(value), arguments()});
    } else {
      return value;
    }
  }
}

ExpressionPtr ExpressionParser::filters_and_tests(ExpressionPtr value) {
  for (;; grow()) {
    const int line = tokens_.line();
    if (tokens_.is_operator("|")) {
      value = filter(std::move(value));
    } else if (tokens_.is_name("is")) {
      value = test(std::move(value));
    } else if (tokens_.is_operator("(")) {
      value = made(line, Call{std::move(value), arguments()});
    } else {
      return value;
    }
  }
}

ExpressionPtr ExpressionParser::filters(ExpressionPtr value) {
  for (; tokens_.is_operator("|"); grow()) value = filter(std::move(value));
  return value;
}

ExpressionPtr ExpressionParser::filter(ExpressionPtr value) {
  tokens_.expect_operator("|");
  const int line = tokens_.line();
  Filter result{std::move(value), tokens_.expect_any_name(), {}};
  if (tokens_.is_operator("(")) result.arguments = arguments();
  return made(line, std::move(result));
}

ExpressionPtr ExpressionParser::test(ExpressionPtr value) {
  const int line = tokens_.line();
  tokens_.expect_name("is");
  const bool negated = tokens_.skip_name("not");
  Test result{std::move(value), tokens_.expect_any_name(), {}};
  const TokenKind kind = tokens_.peek().kind;
  const bool goes_on = tokens_.is_name("else") || tokens_.is_name("or") || tokens_.is_name("and");
  if (tokens_.is_operator("(")) {
    result.arguments = arguments();
  } else if ((kind == TokenKind::kName && !goes_on) || kind == TokenKind::kString ||
             kind == TokenKind::kInteger || kind == TokenKind::kFloat || tokens_.is_operator("[") ||
             tokens_.is_operator("{")) {
    if (tokens_.is_name("is")) tokens_.fail("tests cannot be chained by 'is'");
    result.arguments.positional.push_back(postfix(primary()));
  }
  ExpressionPtr tested = made(line, std::move(result));
  return negated ? made(line, Unary{"not", std::move(tested)}) : std::move(tested);
}

ExpressionPtr ExpressionParser::attribute(ExpressionPtr object) {
  const int line = tokens_.line();
  tokens_.expect_operator(".");
  if (!tokens_.is(TokenKind::kInteger))
    return made(line, Attribute{std::move(object), tokens_.expect_any_name()});
  ExpressionPtr index = made(line, Literal{Value(tokens_.next().integer)});
  return made(line, Subscript{std::move(object), std::move(index)});
}

ExpressionPtr ExpressionParser::subscript(ExpressionPtr object) {
  const int line = tokens_.line();
  tokens_.expect_operator("[");
  const auto part = [&]() -> ExpressionPtr {
    if (tokens_.is_operator(":") || tokens_.is_operator("]")) return nullptr;
    return expression();
  };
  ExpressionPtr start = part();
  if (!tokens_.is_operator(":")) {
    if (!start) tokens_.unexpected("a subscript");
    tokens_.expect_operator("]");
    return made(line, Subscript{std::move(object), std::move(start)});
  }
  tokens_.expect_operator(":");
  ExpressionPtr stop = part(), step;
  if (tokens_.skip_operator(":")) step = part();
  tokens_.expect_operator("]");
  return made(line, Slice{std::move(object), std::move(start), std::move(stop), std::move(step)});
}

Arguments ExpressionParser::arguments() {
  using Named = std::pair<std::string, ExpressionPtr>;
  Arguments result;
  tokens_.expect_operator("(");
  while (!tokens_.is_operator(")")) {
    if (tokens_.is_operator("*") || tokens_.is_operator("**"))
      tokens_.fail("'{}' before an argument is not supported", tokens_.peek().text);
    if (tokens_.is(TokenKind::kName) && tokens_.is_operator("=", 1)) {
      std::string name = tokens_.next().text;
      tokens_.next();
      if (std::ranges::find(result.named, name, &Named::first) != result.named.end())
        tokens_.fail("the argument '{}' is given twice", printable(name));
      result.named.emplace_back(std::move(name), expression());
    } else {
      if (!result.named.empty()) tokens_.fail("an argument without a name behind one with");
      result.positional.push_back(expression());
    }
    if (!tokens_.is_operator(")")) tokens_.expect_operator(",");
  }
  tokens_.expect_operator(")");
  return result;
}

}  // namespace dualpath::data::jinja
