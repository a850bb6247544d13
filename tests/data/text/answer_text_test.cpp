// Against jiwer's error rates and transforms: tests/reference/error_rates.py makes the expected
// ones.
#include "data/text/answer_text.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "data/formats/json.h"

using namespace dualpath::data;

namespace {

std::int64_t words_apart(std::string_view from, std::string_view to) {
  return edit_distance(words_of(from), words_of(to));
}

}  // namespace

TEST_CASE("answers are compared in small letters, without punctuation, words joined by one space",
          "[data][answer_text]") {
  CHECK(normalized_answer("  A brown\n\thEn. ") == "a brown hen");
  CHECK(normalized_answer("Call-Forward: don't!") == "callforward dont");
  CHECK(normalized_answer("Ça, l'œil — É") == "ça lœil é");
  CHECK(normalized_answer("3 + 4") == "3 + 4");
  CHECK(normalized_answer("¿?!") == "");
}

TEST_CASE("edits are the fewest substitutions, insertions and deletions", "[data][answer_text]") {
  CHECK(words_apart("a b c", "a b c") == 0);
  CHECK(words_apart("a b c", "a x c") == 1);
  CHECK(words_apart("a b c", "b c d e") == 3);  // "a" goes, "d" and "e" come
  CHECK(words_apart("", "a b") == 2);
  CHECK(words_apart("a b", "") == 2);
  CHECK(edit_distance(characters_of("kitten"), characters_of("sitting")) == 3);
  CHECK(edit_distance(characters_of("курыца"), characters_of("курица")) == 1);
}

TEST_CASE("normalized texts, edits and corpus rates are jiwer's", "[data][answer_text]") {
  const nlohmann::json expected = read_json("build/reference/error_rates.json");
  std::int64_t word_edits = 0, words = 0, character_edits = 0, characters = 0;
  REQUIRE(expected["pairs"].size() > 8);
  for (const nlohmann::json& pair : expected["pairs"]) {
    const std::string reference = normalized_answer(pair["reference"].get<std::string>()),
                      said = normalized_answer(pair["hypothesis"].get<std::string>());
    INFO(reference << " | " << said);
    CHECK(reference == pair["normalized"][0]);
    CHECK(said == pair["normalized"][1]);
    const auto their_words = words_of(reference);
    const auto their_characters = characters_of(reference);
    CHECK(std::ssize(their_words) == pair["words"]);
    CHECK(std::ssize(their_characters) == pair["characters"]);
    CHECK(edit_distance(their_words, words_of(said)) == pair["word_edits"]);
    CHECK(edit_distance(their_characters, characters_of(said)) == pair["character_edits"]);
    word_edits += edit_distance(their_words, words_of(said));
    words += std::ssize(their_words);
    character_edits += edit_distance(their_characters, characters_of(said));
    characters += std::ssize(their_characters);
  }
  CHECK(static_cast<double>(word_edits) / static_cast<double>(words) ==
        Approx(expected["wer"].get<double>()));
  CHECK(static_cast<double>(character_edits) / static_cast<double>(characters) ==
        Approx(expected["cer"].get<double>()));
}
