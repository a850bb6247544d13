#include "data/text/normalized.h"

#include <catch2/catch.hpp>

using dualpath::data::normalized;

TEST_CASE("Normalized text is its words in lower case, with one space between two",
          "[data][text]") {
  CHECK(normalized("  Hello,\tWORLD!\n") == "hello world");
  CHECK(normalized("twenty-one (21) — 3.5 %") == "twenty one 21 3 5");
  CHECK(normalized("?!…").empty());
  CHECK(normalized("").empty());
}

TEST_CASE("Normalized text keeps apostrophes inside words alone", "[data][text]") {
  CHECK(normalized("Don't say 'no', it’s the boys' turn") == "don't say no it's the boys turn");
  CHECK(normalized("'''") == "");
  CHECK(normalized("rock ''n'' roll") == "rock n roll");
}

TEST_CASE("Normalized text has letters of all scripts, composed", "[data][text]") {
  CHECK(normalized("ÉCOLE, Straße; ΟΔΟΣ «ДОМ»") == "école straße οδος дом");
  CHECK(normalized("e\u0301te\u0301") == "été");
  CHECK(normalized("नमस्ते।") == "नमस्ते");
  CHECK(normalized("I \u2764\uFE0F you") == "i you");
  CHECK(normalized("日本語、です") == "日本語 です");
}
