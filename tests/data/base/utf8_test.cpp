#include "data/base/utf8.h"

#include <catch2/catch.hpp>

using namespace dualpath::data;

TEST_CASE("a character cut short becomes one replacement, each impossible byte one of its own",
          "[data][utf8]") {
  CHECK(replace_invalid_utf8("a\xE2\x82z") == "a\uFFFDz");    // the euro sign without its end
  CHECK(replace_invalid_utf8("\xF0\x9F\x98") == "\uFFFD");    // a smiley without its end
  CHECK(replace_invalid_utf8("\xC0\x80") == "\uFFFD\uFFFD");  // overlong
  CHECK(replace_invalid_utf8("\xED\xA0\x80") == "\uFFFD\uFFFD\uFFFD");            // a surrogate
  CHECK(replace_invalid_utf8("\xF4\x90\x80\x80") == "\uFFFD\uFFFD\uFFFD\uFFFD");  // past U+10FFFF
  CHECK(replace_invalid_utf8("\x80\xFF") == "\uFFFD\uFFFD");
}

TEST_CASE("the ends of every length are valid and stay as they are", "[data][utf8]") {
  const std::string ends = "\x7F\u0080\u07FF\u0800\uD7FF\uE000\uFFFF\U00010000\U0010FFFF";
  CHECK(find_invalid_utf8(ends) == std::string::npos);
  CHECK(replace_invalid_utf8(ends) == ends);
  CHECK(count_code_points(ends) == 9);
}

TEST_CASE("find_invalid_utf8 says where the first bad byte stands", "[data][utf8]") {
  CHECK(find_invalid_utf8("é\xFFé\xFF") == 2);
  CHECK(find_invalid_utf8("") == std::string::npos);
}
