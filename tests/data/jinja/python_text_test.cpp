#include "data/jinja/python_text.h"

#include <catch2/catch.hpp>

using namespace dualpath::data::jinja;

using Texts = std::vector<std::string_view>;

TEST_CASE("stripping takes white space of every kind, or the characters given", "[data][jinja]") {
  CHECK(stripped(" \t\u00a0\u3000 a b\n\u2028") == "a b");
  CHECK(stripped("éxaxé", Side::kBoth, "éx") == "a");
  CHECK(stripped("xxaxx", Side::kLeft, "x") == "axx");
  CHECK(stripped("xxaxx", Side::kRight, "x") == "xxa");
  CHECK(stripped("  ").empty());
}

TEST_CASE("texts are split as Python splits them", "[data][jinja]") {
  CHECK(split("a,b,,c", ",", -1) == Texts{"a", "b", "", "c"});
  CHECK(split("a,b,c", ",", 1) == Texts{"a", "b,c"});
  CHECK(split("", ",", -1) == Texts{""});
  CHECK(split("  a  b ", std::nullopt, -1) == Texts{"a", "b"});
  CHECK(split(" a  b c ", std::nullopt, 1) == Texts{"a", "b c "});
  CHECK(split("", std::nullopt, -1).empty());
  CHECK(split_from_right("a,b,c", ",", 1) == Texts{"a,b", "c"});
  CHECK(split_lines("a\r\nb\n\nc\n") == Texts{"a", "b", "", "c"});
}

TEST_CASE("repr quotes as Python does", "[data][jinja]") {
  CHECK(quoted("it's") == "\"it's\"");
  CHECK(quoted("a'b\"c") == "'a\\'b\"c'");
  CHECK(quoted("é\n\\\x01") == "'é\\n\\\\\\x01'");
}

TEST_CASE("case changes at the start of words", "[data][jinja]") {
  CHECK(titled("they're BILL's") == "They'Re Bill'S");
  CHECK(capitalized("hELLO wORLD") == "Hello world");
}

TEST_CASE("code points become UTF-8", "[data][jinja]") {
  CHECK(utf8_of(0x41) + utf8_of(0xE9) + utf8_of(0x20AC) + utf8_of(0x1F44D) == "Aé€👍");
}
