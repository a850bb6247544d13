#include "data/tokenizer/added_tokens.h"

#include <catch2/catch.hpp>
#include <string>

#include "data/base/error.h"

using namespace dualpath::data;

namespace {

/// Tokens by id in brackets: "a[1]b".
std::string marked_tokens(const AddedTokens& tokens, std::string_view text) {
  std::string result;
  AddedTokenSplitter(tokens).split(
      text, [&](std::string_view part) { result += part; },
      [&](std::int32_t id) { result += "[" + std::to_string(id) + "]"; });
  return result;
}

}  // namespace

TEST_CASE("the longest added token counts, and parts of one are text", "[data][added_tokens]") {
  const AddedTokens tokens{{1, {"<a>"}}, {2, {"<a>>"}}, {3, {"€"}}};
  CHECK(marked_tokens(tokens, "x<a>y") == "x[1]y");
  CHECK(marked_tokens(tokens, "<a>>><a") == "[2]><a");
  CHECK(marked_tokens(tokens, "€€") == "[3][3]");
  CHECK(marked_tokens(tokens, "") == "");
  CHECK(marked_tokens({}, "<a>") == "<a>");
}

TEST_CASE("normalized tokens are found only in what the others left", "[data][added_tokens]") {
  CHECK(marked_tokens({{1, {.content = "ab", .normalized = true}}, {2, {"bc"}}}, "abc ab") ==
        "a[2] [1]");
}

TEST_CASE("lstrip and rstrip take the white space beside a token", "[data][added_tokens]") {
  const AddedToken left{.content = "<a>", .lstrip = true}, right{.content = "<b>", .rstrip = true};
  const AddedTokens tokens{{1, left}, {2, right}, {3, {" y"}}};
  CHECK(marked_tokens(tokens, "x \n\u3000<a> x") == "x[1] x");
  CHECK(marked_tokens(tokens, "x <b>\u00A0\u2028 x") == "x [2]x");
  CHECK(marked_tokens(tokens, "<b>  <a>  ") == "[2][1]  ");
  CHECK(marked_tokens(tokens, "x\u200B<a>") == "x\u200B[1]");  // a zero width space is none
  CHECK(marked_tokens(tokens, "<b>  y") == "[2][3]");          // as in `tokenizers`
}

// What tokenizers 0.23 gives.
TEST_CASE("a token that is new gets the next free id, one of the vocabulary keeps its own",
          "[data][added_tokens]") {
  const Vocabulary vocabulary{{"a", 0}, {"b", 1}, {"far", 20}};
  AddedTokens tokens;
  add_tokens(vocabulary, {{"<x>"}, {"far"}, {"<y>"}, {""}}, tokens);
  CHECK(tokens.size() == 3);
  CHECK(tokens.at(3).content == "<x>");
  CHECK(tokens.at(4).content == "<y>");
  CHECK(tokens.at(20).content == "far");
  add_tokens(vocabulary, {{"<z>"}, {.content = "<x>", .rstrip = true}}, tokens);
  CHECK(tokens.at(21).content == "<z>");
  CHECK(tokens.at(3).rstrip);
  CHECK(tokens.size() == 4);
}

TEST_CASE("two added tokens of one id are an error", "[data][added_tokens]") {
  AddedTokens tokens;
  CHECK_THROWS_WITH(add_tokens({{"a", 0}, {"b", 2}}, {{"<x>"}, {"b"}}, tokens),
                    "'<x>' and 'b' both have id 2");
}

TEST_CASE("options of added tokens that we do not have are refused", "[data][added_tokens]") {
  const auto refused = [](const char* option) {
    const auto json = JsonObject::parse(
        fmt::format(R"({{"added_tokens": [{{"id": 5, "content": "<m>", "{}": true}}]}})", option),
        "t.json");
    CHECK_THROWS_WITH(read_added_tokens(json),
                      Catch::Contains(fmt::format("added_tokens[0]: {} is not supported", option)));
  };
  refused("single_word");
  refused("whole_line");
}
