#include "data/jinja/values/python_text.h"

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
}

TEST_CASE("lines end at every separator that Python knows", "[data][jinja]") {
  CHECK(split_lines("a\r\nb\n\nc\n") == Texts{"a", "b", "", "c"});
  CHECK(split_lines("a\vb\fc\x1c"
                    "d\x1d"
                    "e\x1e"
                    "f\u0085g\u2028h\u2029i") ==
        Texts{"a", "b", "c", "d", "e", "f", "g", "h", "i"});
  CHECK(split_lines("a\r\n\u2028b", /*keeps_ends=*/true) == Texts{"a\r\n", "\u2028", "b"});
}

TEST_CASE("an empty text stands around every character", "[data][jinja]") {
  CHECK(replaced("äb", "", "-", -1) == "-ä-b-");
  CHECK(replaced("äb", "", "-", 2) == "-ä-b");
  CHECK(count_of("äb", "") == 3);
}

TEST_CASE("repr quotes as Python does", "[data][jinja]") {
  CHECK(quoted("it's") == "\"it's\"");
  CHECK(quoted("a'b\"c") == "'a\\'b\"c'");
  CHECK(quoted("é\n\\\x01") == "'é\\n\\\\\\x01'");
  CHECK(quoted("\u00ad\u200b\u2003\ufeff\ue000👩\u200d\U000e0001") ==
        "'\\xad\\u200b\\u2003\\ufeff\\ue000👩\\u200d\\U000e0001'");
}

TEST_CASE("code points become UTF-8", "[data][jinja]") {
  CHECK(utf8_of(0x41) + utf8_of(0xE9) + utf8_of(0x20AC) + utf8_of(0x1F44D) == "Aé€👍");
}
