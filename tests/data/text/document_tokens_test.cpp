#include "data/text/document_tokens.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace dualpath;
using namespace dualpath::data;

namespace {

using nlohmann::json;
using Ids = std::vector<std::int32_t>;
using Mask = std::vector<std::uint8_t>;

/// "ab" and " a" are tokens; "é" is two.
Tokenizer spoken_tokenizer(const json& patch = json::object()) {
  json description = json::parse(R"({
    "added_tokens": [{"id": 8, "content": "<end>", "normalized": false}],
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
    "decoder": {"type": "ByteLevel"},
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "Ġ": 3, "Ġa": 4, "Ã": 5, "©": 6,
                                       "e": 7},
              "merges": ["Ġ a", "a b"]}
  })");
  description.merge_patch(patch);
  return Tokenizer({description.dump(), R"({"eos_token": "<end>"})"}, "model");
}

Tokens tokens(const Tokenizer& by, const std::string& text, std::vector<ByteRange> answers) {
  return tokens_of(by, {.text = text, .origin = "", .answers = std::move(answers)});
}

}  // namespace

TEST_CASE("a token is a target if it holds a character of an answer", "[data][tokens]") {
  const Tokenizer t = spoken_tokenizer();
  CHECK(tokens(t, "ab ab<end>", {}).ids == Ids{2, 4, 1, 8});
  CHECK(tokens(t, "ab ab<end>", {}).targets == Mask{0, 0, 0, 0});
  CHECK(tokens(t, "ab ab<end>", {{3, 10}}).targets == Mask{0, 1, 1, 1});  // " a" begins before
  CHECK(tokens(t, "ab ab<end>", {{0, 1}}).targets == Mask{1, 0, 0, 0});   // "ab" ends behind
  CHECK(tokens(t, "ab ab<end>", {{2, 2}}).targets == Mask{0, 0, 0, 0});
  CHECK(tokens(t, "ab ab<end>", {{0, 1}, {1, 3}}).targets == Mask{1, 1, 0, 0});
  CHECK(tokens(t, "ab ab<end>", {{0, 1}, {4, 5}, {9, 10}}).targets == Mask{1, 0, 1, 1});
}

TEST_CASE("a document without marks has all its tokens as targets", "[data][tokens]") {
  CHECK(tokens_of(spoken_tokenizer(), {.text = "ab", .origin = ""}).targets.empty());
}

TEST_CASE("a character composed across the edge of an answer belongs to it", "[data][tokens]") {
  const Tokenizer t = spoken_tokenizer({{"normalizer", {{"type", "NFC"}}}});
  const std::string text = "ae\u0301b";  // a, é (two tokens), b
  REQUIRE(tokens(t, text, {}).ids == Ids{0, 5, 6, 1});
  CHECK(tokens(t, text, {{4, 5}}).targets == Mask{0, 0, 0, 1});
  CHECK(tokens(t, text, {{1, 4}}).targets == Mask{0, 1, 1, 0});
  CHECK(tokens(t, text, {{0, 1}}).targets == Mask{1, 0, 0, 0});
  CHECK(tokens(t, text, {{2, 5}}).targets == Mask{0, 1, 1, 1});
  CHECK(tokens(t, text, {{0, 2}}).targets == Mask{1, 1, 1, 0});
}

TEST_CASE("answers are found where the tokenizer adds to a text or drops of it", "[data][tokens]") {
  const Tokenizer adds = spoken_tokenizer({{"pre_tokenizer", {{"add_prefix_space", true}}}});
  REQUIRE(tokens(adds, "ab", {}).ids == Ids{4, 1});
  CHECK(tokens(adds, "ab", {{1, 2}}).targets == Mask{0, 1});
  const Tokenizer drops = spoken_tokenizer();  // of what it has no token for
  REQUIRE(tokens(drops, "xxaxb", {}).ids == Ids{2});
  REQUIRE(tokens(drops, "xxa ab", {}).ids == Ids{0, 4, 1});
  CHECK(tokens(drops, "xxa ab", {{2, 3}}).targets == Mask{1, 0, 0});
  CHECK(tokens(drops, "xxa ab", {{5, 6}}).targets == Mask{0, 0, 1});
}

TEST_CASE("what ends a text is no target among answers", "[data][tokens]") {
  Tokens marked = tokens(spoken_tokenizer(), "b", {{0, 1}}), plain{{1}};
  append_end(spoken_tokenizer(), marked);
  append_end(spoken_tokenizer(), plain);
  CHECK(marked.ids == Ids{1, 8});
  CHECK(marked.targets == Mask{1, 0});
  CHECK(plain.targets.empty());
  append(plain, marked);
  CHECK(marked.targets == Mask{1, 0, 1, 1});
}
