#include "data/patterns/python_pattern.h"

#include <catch2/catch.hpp>

#include "tests/support/error_message.h"

using namespace dualpath;
using data::PythonPattern;

namespace {

bool python_matches(std::string_view expression, std::string_view text) {
  return PythonPattern(expression).matches_start(text);
}

std::string mistake(std::string_view expression) {
  return testing::error_message([&] { PythonPattern{expression}; });
}

}  // namespace

// Expected values are those of re.match in Python 3.11.

TEST_CASE("a Python pattern matches from the start, not to the end", "[python_pattern]") {
  CHECK(python_matches("model[.]layers[.]1", "model.layers.12.mlp"));
  CHECK_FALSE(python_matches("layers", "model.layers.1"));
  CHECK(python_matches("", "anything"));
  CHECK(python_matches(".*proj$", "q_proj"));
  CHECK_FALSE(python_matches(".*proj$", "q_proj.x"));
}

TEST_CASE("look-arounds, named groups, flags and possessive quantifiers are Python's",
          "[python_pattern]") {
  CHECK(python_matches(".*(?<=down_)proj", "mlp.down_proj"));
  CHECK_FALSE(python_matches(".*(?<=down_)proj", "mlp.up_proj"));
  CHECK(python_matches("(?!lm_)", "model"));
  CHECK(python_matches("(?P<part>a|b)[.](?P=part)$", "b.b"));
  CHECK_FALSE(python_matches("(?P<part>a|b)[.](?P=part)$", "a.b"));
  CHECK(python_matches(R"((a|b)\1$)", "aa"));
  CHECK(python_matches("(?i).*DOWN_proj", "mlp.down_proj"));
  CHECK(python_matches("m(?i:LP)", "mlp"));
  CHECK_FALSE(python_matches("m(?i:LP)", "Mlp"));
  CHECK_FALSE(python_matches("a++a", "aaa"));
  CHECK_FALSE(python_matches("(?>a*)a", "aaa"));
  CHECK(python_matches("(?#all)a*", "aaa"));
}

TEST_CASE("what Python spells differently than PCRE2 has Python's meaning", "[python_pattern]") {
  CHECK_FALSE(python_matches(R"(a\Z)", "a\n"));  // PCRE2's \Z looks past a last line break
  CHECK(python_matches("a$", "a\n"));
  CHECK_FALSE(python_matches("a{,2}$", "a{,2}"));  // literal in PCRE2
  CHECK(python_matches("a{,2}$", "aa"));
  CHECK(python_matches("a{x}", "a{x}"));
  CHECK(python_matches("a{1, 2}", "a{1, 2}"));
  CHECK(python_matches(R"(\v)", "\x0b"));
  CHECK_FALSE(python_matches(R"(\v)", "\n"));  // a line break of any kind in PCRE2
  CHECK(python_matches(R"(\x61\u0062\143\07)", "abc\x07"));
  CHECK(python_matches(R"([\s][\s]\s)", "\x1c\t "));
  CHECK(python_matches(R"([]a]+$)", "a]"));
  CHECK(python_matches(R"([[b]+$)", "[b"));
  CHECK(python_matches(R"(\w\d)", "\xc3\xa9\xd9\xa3"));  // é, and an Arabic 3
}

TEST_CASE("what Python does not have or is not served is refused by name", "[python_pattern]") {
  const auto refuses = [](std::string_view expression, const std::string& what) {
    INFO(expression);
    CHECK(mistake(expression) == fmt::format("regular expression '{}': {}", expression, what));
  };
  refuses("(?<n>a)", "(?<name>, which Python writes (?P<name>, is not supported");
  refuses("(?|a)", "(?| is not supported");
  refuses("(?R)", "(?R is not supported");
  refuses("(?(1)a|b)", "(?( is not supported");
  refuses("(?x)a", "(?x is not supported");
  refuses("(*FAIL)", "there is nothing that * repeats");
  refuses("a(?i)b", "(?i) is not at the start");
  refuses("[[:alpha:]]", "a POSIX class is not supported");
  refuses(R"(a\K)", "\\K is not supported");
  refuses(R"(\Qa\E)", "\\Q is not supported");
  refuses(R"(\h)", "\\h is not supported");
  refuses(R"(\z)", "\\z is not supported");
  refuses(R"(\N{BULLET})", "\\N is not supported");
  refuses(R"(\1(a))", "there is no group 1 before this");
  refuses(R"((a\1))", "a reference to group 1 inside of it");
  refuses("(?P=n)", "there is no group n before this");
  refuses("(?<=a*)b", "* inside a look-behind is not supported");
  refuses("(?<=ab|c)d", "| inside a look-behind is not supported");
  refuses("a**", "* behind another quantifier");
  refuses("^*", "there is nothing that * repeats");
  refuses("a)", "a ) without its (");
  refuses("(a", "missing closing parenthesis");
  refuses("[a", "it ends in the middle");
  refuses("a\\", "it ends in the middle");
}

TEST_CASE("a search that would not end is an error, and nesting is bounded", "[python_pattern]") {
  const std::string text = std::string(50, 'a') + "b";
  CHECK_THAT(testing::error_message([&] { python_matches("(a+)+$", text); }),
             Catch::Contains("match limit exceeded"));
  const std::string deep = std::string(500, '(') + std::string(500, ')');
  CHECK_THAT(mistake(deep), Catch::EndsWith("parentheses are too deeply nested"));
  CHECK_THAT(testing::error_message([] { python_matches(".", "\xff"); }), Catch::Contains("UTF-8"));
}
