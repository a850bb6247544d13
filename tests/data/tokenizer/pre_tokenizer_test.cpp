#include "data/tokenizer/pre_tokenizer.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace dualpath::data;

namespace {

PreTokenizer pre_tokenizer(const std::string& json) {
  return PreTokenizer(JsonObject::parse(json, "t.json"));
}

std::vector<std::string> words(const std::string& json, const std::string& text) {
  std::vector<std::string> words;
  pre_tokenizer(json).split(text, [&](std::string_view word) { words.emplace_back(word); });
  return words;
}

std::string before_bytes(const std::string& step) {
  return R"({"type": "Sequence", "pretokenizers": [)" + step +
         R"(, {"type": "ByteLevel", "use_regex": false}]})";
}

using Words = std::vector<std::string>;

}  // namespace

TEST_CASE("GPT-2 keeps a space with its word and contractions apart", "[data][pre_tokenizer]") {
  const std::string gpt2 = R"({"type": "ByteLevel", "add_prefix_space": false})";
  CHECK(words(gpt2, "I'll go  to 1234!\n") ==
        Words{"I", "'ll", " go", " ", " to", " 1234", "!", "\n"});
  CHECK(words(gpt2, "").empty());
}

TEST_CASE("SmolLM takes every digit apart first, so a space before it stands alone",
          "[data][pre_tokenizer]") {
  const std::string smollm = R"({"type": "Sequence", "pretokenizers": [
      {"type": "Digits", "individual_digits": true}, {"type": "ByteLevel", "use_regex": true}]})";
  CHECK(words(smollm, "to 42½") == Words{"to", " ", "4", "2", "½"});
}

TEST_CASE("Digits can keep a number together", "[data][pre_tokenizer]") {
  CHECK(words(before_bytes(R"({"type": "Digits", "individual_digits": false})"), "a12b") ==
        Words{"a", "12", "b"});
}

TEST_CASE("add_prefix_space puts a space before text that has none", "[data][pre_tokenizer]") {
  const std::string prefixed = R"({"type": "ByteLevel", "add_prefix_space": true})";
  CHECK(words(prefixed, "ab c") == Words{" ab", " c"});
  CHECK(words(prefixed, " ab") == Words{" ab"});
}

TEST_CASE("Split isolates or removes what its expression matches, or what it does not",
          "[data][pre_tokenizer]") {
  const auto split = [](const std::string& behavior, const std::string& invert) {
    return before_bytes(R"({"type": "Split", "pattern": {"Regex": "-+"}, "behavior": ")" +
                        behavior + R"(", "invert": )" + invert + "}");
  };
  CHECK(words(split("Isolated", "false"), "a--b") == Words{"a", "--", "b"});
  CHECK(words(split("Isolated", "true"), "a--b") == Words{"a", "--", "b"});
  CHECK(words(split("Removed", "false"), "a--b") == Words{"a", "b"});
  CHECK(words(split("Removed", "true"), "a--b") == Words{"--"});
  CHECK_THROWS_WITH(pre_tokenizer(split("Contiguous", "false")),
                    Catch::Contains("behavior: expected Isolated or Removed, got Contiguous"));
}

TEST_CASE("pre-tokenizers that we do not have are refused by name", "[data][pre_tokenizer]") {
  CHECK_THROWS_WITH(pre_tokenizer(R"({"type": "Metaspace"})"),
                    Catch::Contains("t.json") &&
                        Catch::Contains("expected Digits, Split or ByteLevel, got Metaspace"));
  CHECK_THROWS_WITH(pre_tokenizer(R"({"type": "Digits", "individual_digits": true})"),
                    Catch::Contains("expected ByteLevel at the end"));
  CHECK_THROWS_WITH(pre_tokenizer(R"({"type": "Sequence", "pretokenizers": [
                        {"type": "ByteLevel"}, {"type": "Digits", "individual_digits": true}]})"),
                    Catch::Contains("pretokenizers[1]: Digits after ByteLevel is not supported"));
  CHECK_THROWS_WITH(pre_tokenizer(before_bytes(R"({"type": "Split", "pattern": {"String": " "},
                                                   "behavior": "Removed", "invert": false})")),
                    Catch::Contains("Regex"));
  CHECK_THROWS_WITH(pre_tokenizer(before_bytes(R"({"type": "Split", "pattern": {"Regex": "\\w"},
                                                   "behavior": "Removed", "invert": false})")),
                    Catch::Contains("pretokenizers[0].pattern: regular expression '\\w'"));
}

TEST_CASE("a Sequence within a Sequence is its members in order", "[data][pre_tokenizer]") {
  const std::string digits = R"({"type": "Digits", "individual_digits": true})";
  const std::string inner = R"({"type": "Sequence", "pretokenizers": [)" + digits + "]}";
  const std::string outer =
      R"({"type": "Sequence", "pretokenizers": [)" + before_bytes(inner) + "]}";
  CHECK(words(outer, "a12") == Words{"a", "1", "2"});
}

TEST_CASE("the space in front can be decided elsewhere", "[data][pre_tokenizer]") {
  const auto description = JsonObject::parse(R"({"type": "ByteLevel"})", "t.json");
  std::vector<std::string> words;
  PreTokenizer(description, true).split("a b", [&](auto word) { words.emplace_back(word); });
  CHECK(words == Words{" a", " b"});
}
