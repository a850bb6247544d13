#include "data/jinja/lexer.h"

#include <catch2/catch.hpp>

using namespace dualpath::data::jinja;

namespace {

/// The tokens' texts, data in <>, numbers as they are.
std::string tokens_of(const std::string& source) {
  std::string all;
  for (const Token& token : tokenize(source, "t")) {
    if (token.kind == TokenKind::kData)
      all += "<" + token.text + ">";
    else if (token.kind == TokenKind::kString)
      all += "'" + token.text + "' ";
    else if (token.kind == TokenKind::kInteger)
      all += std::to_string(token.integer) + " ";
    else if (token.kind == TokenKind::kFloat)
      all += "f ";
    else if (!token.text.empty())
      all += token.text + " ";
  }
  return all;
}

}  // namespace

TEST_CASE("a tag is cut into names, numbers, strings and operators", "[data][jinja]") {
  CHECK(tokens_of("a{{ b.c[1] // 2.5 }}d") == "<a>b . c [ 1 ] // f <d>");
  CHECK(tokens_of("{{ x.0.1 }}") == "x . 0 . 1 ");
  CHECK(tokens_of("{{ 1_000 }}{{ 1e3 }}{{ 1.e }}") == "1000 f 1 . e ");
}

TEST_CASE("escapes in strings are Python's", "[data][jinja]") {
  CHECK(tokens_of(R"({{ "a\n\t\\\"\x41\u20ac\101" }})") == "'a\n\t\\\"A€A' ");
  CHECK(tokens_of(R"({{ 'a\qb' }})") == "'a\\qb' ");
}

TEST_CASE("an end of a tag inside brackets or a string is none", "[data][jinja]") {
  CHECK(tokens_of("{{ {'a': {}} }}") == "{ 'a' : { } } ");
  CHECK(tokens_of("{{ '}}' }}") == "'}}' ");
}

TEST_CASE("raw text is data, tags and all", "[data][jinja]") {
  CHECK(tokens_of("{% raw %}{{ a }}{% endif %}{% endraw %}b") == "<{{ a }}{% endif %}><b>");
  CHECK(tokens_of("{%- raw -%}  a  {%- endraw -%}  b") == "<a><b>");
}

TEST_CASE("signs at a tag keep or take the white space around it", "[data][jinja]") {
  CHECK(tokens_of("a \n {%- x -%} \n b") == "<a>x <b>");
  CHECK(tokens_of("a\n  {% x %}\nb") == "<a\n>x <b>");
  CHECK(tokens_of("a  {% x %}  b") == "<a  >x <  b>");
  CHECK(tokens_of("a\n  {%+ x +%}\nb") == "<a\n  >x <\nb>");
  CHECK(tokens_of("a\n  {{ x }}\nb") == "<a\n  >x <\nb>");
  CHECK(tokens_of("a\n  {# x #}\nb{#- y -#} c") == "<a\n><b><c>");
}

TEST_CASE("tokens know their line", "[data][jinja]") {
  const std::vector<Token> tokens = tokenize("a\n\n{{ 'x\ny'\n b }}", "t");
  CHECK(tokens[1].line == 3);
  CHECK(tokens[2].line == 3);
  CHECK(tokens[3].line == 5);
}
