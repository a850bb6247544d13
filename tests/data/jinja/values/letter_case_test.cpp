#include "data/jinja/values/letter_case.h"

#include <catch2/catch.hpp>

using namespace dualpath::data::jinja;

TEST_CASE("letters of every script change case", "[data][jinja]") {
  CHECK(upper("Übung жук ǆ") == "ÜBUNG ЖУК Ǆ");
  CHECK(lower("ÜBUNG ЖУК Ǆ") == "übung жук ǆ");
  CHECK(lower("日本 ١٢") == "日本 ١٢");
}

TEST_CASE("one letter may become several", "[data][jinja]") {
  CHECK(upper("straße ﬁ ŉ") == "STRASSE FI ʼN");
  CHECK(lower("İ") == "i\u0307");
  CHECK(case_folded("Straße") == "strasse");
  CHECK(capitalized("ßA") == "Ssa");
  CHECK(titled("ǆ ﬁ ᾳ ᾲ ŉ") == "ǅ Fi ᾼ \u1FBA\u0345 ʼN");
}

TEST_CASE("a sigma at the end of a word is another letter", "[data][jinja]") {
  CHECK(lower("ΟΔΟΣ ΣΑΣ Σ") == "οδος σας σ");
  CHECK(lower("ΑΣ' ΑΣ'Α Α'Σ") == "ας' ασ'α α'ς");
  CHECK(titled("ΟΔΟΣ") == "Οδος");
}

TEST_CASE("case changes at the start of words", "[data][jinja]") {
  CHECK(titled("they're BILL's") == "They'Re Bill'S");
  CHECK(title_words("they're BILL's (öFFEN) a-b") == "They're Bill's (Öffen) A-B");
  CHECK(capitalized("hELLO wORLD") == "Hello world");
}

TEST_CASE("a text is of a case when a letter is, and none is of the other", "[data][jinja]") {
  CHECK(is_upper_text("ÜB 1"));
  CHECK_FALSE(is_upper_text("1"));
  CHECK_FALSE(is_upper_text("Üb"));
  CHECK(is_lower_text("ªß"));
  CHECK_FALSE(is_lower_text("ǅ"));
}
