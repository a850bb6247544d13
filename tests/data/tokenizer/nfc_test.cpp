#include "data/tokenizer/nfc.h"

#include <catch2/catch.hpp>

using dualpath::data::to_nfc;

TEST_CASE("letters and marks become the character that they are together", "[data][nfc]") {
  CHECK(to_nfc("e\u0301") == "\u00E9");
  CHECK(to_nfc("\u1100\u1161\u11A8") == "\uAC01");   // Hangul
  CHECK(to_nfc("a\u0301\u0323") == "\u1EA1\u0301");  // marks in their canonical order
  CHECK(to_nfc("\u212B\u2126") == "\u00C5\u03A9");   // the signs of Angstrom and Ohm
  CHECK(to_nfc("\u0958") == "\u0915\u093C");         // is taken apart for good
  CHECK(to_nfc("\uFB01\u00B2") == "\uFB01\u00B2");   // only compatible: stays
  CHECK(to_nfc("q\u0301") == "q\u0301");             // there is no such character
}

TEST_CASE("marks that Unicode has assigned since version 9 stay in their order, as in tokenizers",
          "[data][nfc]") {
  CHECK(to_nfc("a\u0301\u0323") == "\u1EA1\u0301");             // of old: 0323 goes first
  CHECK(to_nfc("a\u0898\u0899") == "a\u0898\u0899");            // of version 14: 0899 would
  CHECK(to_nfc("\u0301\u1DF9\u0323") == "\u0301\u1DF9\u0323");  // of version 10, between
  CHECK(to_nfc("a\u0898\u0301") == "a\u0898\u0301");            // parts a letter and its mark
  CHECK(to_nfc("e\u0301\u0898e\u0301") == "\u00E9\u0898\u00E9");
  CHECK(to_nfc("\U00011935\U00011930") == "\U00011935\U00011930");  // have joined since 13
}

TEST_CASE("text without such letters stays as it is", "[data][nfc]") {
  CHECK(to_nfc("") == "");
  CHECK(to_nfc(std::string("a\0b", 3)) == std::string("a\0b", 3));
  CHECK(to_nfc("na\u00EFve \r\n\u02FF") == "na\u00EFve \r\n\u02FF");
  CHECK(to_nfc("\uFFFE\U0010FFFF\u200D") == "\uFFFE\U0010FFFF\u200D");
}
