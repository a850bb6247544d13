#include "data/added_tokens.h"

#include <catch2/catch.hpp>
#include <string>

using namespace dualpath::data;

namespace {

/// Tokens by id in brackets: "a[1]b".
std::string marked(const std::vector<AddedToken>& tokens, std::string_view text) {
  std::string result;
  AddedTokenSplitter(tokens).split(
      text, [&](std::string_view part) { result += part; },
      [&](std::int32_t id) { result += "[" + std::to_string(id) + "]"; });
  return result;
}

}  // namespace

TEST_CASE("the longest added token counts, and parts of one are text", "[data][added_tokens]") {
  const std::vector<AddedToken> tokens{{"<a>", 1, false}, {"<a>>", 2, false}, {"€", 3, false}};
  CHECK(marked(tokens, "x<a>y") == "x[1]y");
  CHECK(marked(tokens, "<a>>><a") == "[2]><a");
  CHECK(marked(tokens, "€€") == "[3][3]");
  CHECK(marked(tokens, "") == "");
  CHECK(marked({}, "<a>") == "<a>");
}

TEST_CASE("normalized tokens are found only in what the others left", "[data][added_tokens]") {
  CHECK(marked({{"ab", 1, true}, {"bc", 2, false}}, "abc ab") == "a[2] [1]");
}

TEST_CASE("options of added tokens that we do not have are refused", "[data][added_tokens]") {
  const auto json = JsonObject::parse(
      R"({"added_tokens": [{"id": 5, "content": "<m>", "lstrip": true}]})", "t.json");
  CHECK_THROWS_WITH(read_added_tokens(json),
                    Catch::Contains("added_tokens[0]: lstrip is not supported (token '<m>')"));
}
