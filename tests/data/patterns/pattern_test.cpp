#include "data/patterns/pattern.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using dualpath::data::Pattern;

namespace {

/// Matches in brackets: "a[1]b".
std::string marked(const std::string& expression, const std::string& text) {
  std::string result;
  Pattern(expression).for_each_stretch(text, [&](std::string_view stretch, bool matched) {
    result += matched ? "[" + std::string(stretch) + "]" : std::string(stretch);
  });
  return result;
}

}  // namespace

TEST_CASE("stretches cover the text in order", "[data][pattern]") {
  CHECK(marked("\\d", "1a22") == "[1]a[2][2]");
  CHECK(marked("\\d+", "1a22") == "[1]a[22]");
  CHECK(marked("x", "") == "");
  CHECK(marked("x", "é") == "é");
}

TEST_CASE("an empty match divides the text and the search goes on behind the next character",
          "[data][pattern]") {
  CHECK(marked("(?=b)|c", "éébbc") == "éébb[c]");
  std::vector<std::string> stretches;
  Pattern("(?=b)").for_each_stretch("aéb",
                                    [&](std::string_view s, bool) { stretches.emplace_back(s); });
  CHECK(stretches == std::vector<std::string>{"aé", "b"});
}

TEST_CASE("classes are Unicode's", "[data][pattern]") {
  CHECK(marked("\\p{L}+", "1é漢ж2") == "1[é漢ж]2");
  CHECK(marked("\\p{N}", "½x٣") == "[½]x[٣]");
  CHECK(marked("\\p{Han}", "漢か") == "[漢]か");
  CHECK(marked("(?i:'S)", "'s'\u017F") == "['s]['\u017F]");  // long s
}

TEST_CASE("white space is what Unicode and tokenizers take for it", "[data][pattern]") {
  CHECK(marked("\\s", "a\u00A0\u0085\u3000b") == "a[\u00A0][\u0085][\u3000]b");
  CHECK(marked("\\s", "\u180E\u200B") == "\u180E\u200B");  // PCRE2's own \s takes the first
  CHECK(marked("[^\\sa]", "a \u180E") == "a [\u180E]");
  CHECK(marked("\\S", " \u180E") == " [\u180E]");
}

TEST_CASE("a long stretch of one kind matches without running out of stack", "[data][pattern]") {
  const std::string spaces(1'000'000, ' ');
  CHECK(marked("\\s+(?!\\S)", spaces + "x") == "[" + spaces.substr(1) + "] x");
  CHECK(marked("(?:a|b)+", std::string(100'000, 'a')).size() == 100'002);
}

TEST_CASE("an expression that would search for ever ends in an error that shows it",
          "[data][pattern]") {
  CHECK_THROWS_WITH(marked("(?:a+)+\\d", std::string(64, 'a')),
                    Catch::Contains("'(?:a+)+\\d'") && Catch::Contains("match limit exceeded"));
}

TEST_CASE("what the two engines understand differently is refused by name", "[data][pattern]") {
  const auto refused = [](const char* expression, const char* because) {
    INFO(expression);
    CHECK_THROWS_WITH(Pattern(expression), Catch::Contains(expression) && Catch::Contains(because));
  };
  refused("\\w+", "\\w is not supported");
  refused("[\\S]", "\\S in a class");
  refused("[a[b]]", "a class inside a class");
  refused("[a&&b]", "an intersection of classes");
  refused("[]a]", "a class that starts with ]");
  refused("(?m:.)", "(?m is not supported");
  refused("a{1,3}+", "a possessive interval");
  refused("\\pL", "\\p without {name}");
  refused("a\\", "a backslash at the end");
  refused("\\p{Alphabetic}", "unknown property");
  refused("(a", "parenthesis");
}
