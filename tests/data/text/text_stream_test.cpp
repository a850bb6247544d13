#include "data/text/text_stream.h"

#include <rapidcheck.h>
#include <catch2/catch.hpp>

#include "data/base/utf8.h"

using namespace dualpath::data;

namespace {

/// What comes out piece by piece, "|" behind each, and behind the end.
std::string pieces(TextStream stream, const std::vector<std::string>& tokens) {
  std::string all;
  for (const std::string& token : tokens) {
    all += stream.add(token) + "|";
    if (stream.stopped()) return all + "stopped";
  }
  return all + stream.finish();
}

}  // namespace

TEST_CASE("text is shown as it comes", "[data][text_stream]") {
  CHECK(pieces(TextStream(), {"Hello", ",", " world"}) == "Hello|,| world|");
}

TEST_CASE("a piece of a character waits for the rest of it", "[data][text_stream]") {
  CHECK(pieces(TextStream(), {"a\xE2", "\x82", "\xAC", "!"}) == "a||€|!|");
  CHECK(pieces(TextStream(), {"\xF0\x9F", "\x91\x8D\xC3", "\xA9"}) == "|👍|é|");
}

TEST_CASE("bytes that are no character become U+FFFD as soon as that is known",
          "[data][text_stream]") {
  CHECK(pieces(TextStream(), {"\xE2\x82", "x"}) == "|\uFFFDx|");
  CHECK(pieces(TextStream(), {"a\xE2\x82"}) == "a|\uFFFD");
}

TEST_CASE("a stop string ends the text before it, also where it straddles tokens",
          "[data][text_stream]") {
  CHECK(pieces(TextStream({"END"}), {"one ", "END", " two"}) == "one ||stopped");
  CHECK(pieces(TextStream({"END"}), {"one E", "N", "D two"}) == "one |||stopped");
  CHECK(pieces(TextStream({"\n\n"}), {"a\n", "b\n", "\nc"}) == "a|\nb||stopped");
}

TEST_CASE("what only began as a stop string is shown after all", "[data][text_stream]") {
  CHECK(pieces(TextStream({"END"}), {"one E", "N", "N"}) == "one ||ENN|");
  CHECK(pieces(TextStream({"aab"}), {"aa", "a", "c"}) == "|a|aac|");
  CHECK(pieces(TextStream({"END"}), {"the E", "N"}) == "the ||EN");
}

TEST_CASE("of several stop strings the one that comes first counts", "[data][text_stream]") {
  CHECK(pieces(TextStream({"\n", "."}), {"It is. So\n"}) == "It is|stopped");
  CHECK(pieces(TextStream({"€"}), {"5 \xE2\x82", "\xAC each"}) == "5 ||stopped");
}

TEST_CASE("however a text is cut into tokens, the same comes out", "[data][text_stream]") {
  CHECK(rc::check([](const std::vector<std::string>& tokens, bool stops) {
    const std::vector<std::string> stop =
        stops ? std::vector<std::string>{"a", "bc"} : std::vector<std::string>{};
    std::string whole;
    for (const std::string& token : tokens) whole += token;
    const std::size_t end = stops ? std::min(whole.find("a"), whole.find("bc")) : whole.npos;
    TextStream stream(stop);
    std::string text;
    for (const std::string& token : tokens)
      if (!stream.stopped()) text += stream.add(token);
    if (!stream.stopped()) text += stream.finish();
    RC_ASSERT(stream.stopped() == (end != whole.npos));
    RC_ASSERT(text == replace_invalid_utf8(whole.substr(0, end)));
  }));
}
