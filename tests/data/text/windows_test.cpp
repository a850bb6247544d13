#include "data/text/windows.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "tests/data/letters.h"

using namespace dualpath::data;
using dualpath::testing::letters;

namespace {

std::vector<std::int32_t> ids_of(const Windows& windows, std::size_t window) {
  return {windows[window].ids.begin(), windows[window].ids.end()};
}

using Ids = std::vector<std::int32_t>;
using Mask = std::vector<std::uint8_t>;
using Ranges = std::vector<dualpath::ByteRange>;
using Order = std::vector<std::size_t>;

}  // namespace

TEST_CASE("windows do not overlap and the last keeps what is left", "[data][windows]") {
  const Windows windows({{0, 1, 2, 3, 4, 5, 6, 7}}, 3, "text");
  REQUIRE(windows.size() == 3);
  CHECK(ids_of(windows, 0) == Ids{0, 1, 2});
  CHECK(ids_of(windows, 2) == Ids{6, 7});
}

TEST_CASE("a single token left over is dropped", "[data][windows]") {
  const Windows windows({{0, 1, 2, 3, 4, 5, 6}}, 3, "text");
  REQUIRE(windows.size() == 2);
  CHECK(ids_of(windows, 1) == Ids{3, 4, 5});
}

TEST_CASE("text shorter than a window says what came and what is needed", "[data][windows]") {
  CHECK_THROWS_WITH(Windows({{1, 2}}, 3, "book.txt"), "book.txt: 2 tokens, but one window needs 3");
  CHECK_THROWS_WITH(Windows({{1, 2}}, 1, "book.txt"), Catch::Contains("at least 2"));
}

TEST_CASE("the end-of-sequence token stands between documents, not after the last",
          "[data][windows]") {
  const std::vector<Document> documents{{"ab", "first"}, {"ba", "second"}, {"a", "third"}};
  CHECK(token_stream(letters(R"({"eos_token": "!"})"), documents).ids == Ids{0, 1, 2, 1, 0, 2, 0});
  CHECK(token_stream(letters("{}"), documents).ids == Ids{0, 1, 1, 0, 0});
  CHECK(make_windows(letters(""), documents, 5).size() == 1);
  CHECK_THROWS_WITH(make_windows(letters(""), documents, 6),
                    Catch::Contains("first to third: 5 tokens"));
}

TEST_CASE("behind a conversation stands no end-of-sequence token, which its template knows",
          "[data][windows]") {
  const std::vector<Document> documents{
      {.text = "ab", .origin = "talk", .is_conversation = true}, {"b", "text"}, {"a", "text"}};
  const Tokens stream = token_stream(letters(R"({"eos_token": "!"})"), documents);
  CHECK(stream.ids == Ids{0, 1, 1, 2, 0});
  CHECK(stream.targets.empty());
}

TEST_CASE("only answers are targets, of which a window's first token is none", "[data][windows]") {
  const std::vector<Document> documents{
      {.text = "abab", .origin = "1", .answers = Ranges{{1, 3}}},
      {.text = "aaaa", .origin = "2", .answers = Ranges{}},
      {.text = "bbbb", .origin = "3", .answers = Ranges{{0, 1}, {3, 4}}}};
  const Tokens stream = token_stream(letters(R"({"eos_token": "!"})"), documents);
  CHECK(stream.ids == Ids{0, 1, 0, 1, 2, 0, 0, 0, 0, 2, 1, 1, 1, 1});
  CHECK(stream.targets == Mask{0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1});
  const Windows windows(stream, 5, "talks");  // the second one predicts nothing, the third its last
  REQUIRE(windows.size() == 2);
  CHECK(ids_of(windows, 1) == Ids{1, 1, 1, 1});
  CHECK(count_targets(windows[0]) == 2);
  CHECK(count_targets(windows[1]) == 1);
}

TEST_CASE("windows in which nothing is predicted are an error", "[data][windows]") {
  CHECK_THROWS_WITH(Windows({{1, 2, 3, 4}, {1, 0, 1, 0}}, 2, "talks.jsonl:1"),
                    "talks.jsonl:1: there is no token to predict");
}

TEST_CASE("every epoch visits each window once, in an order of its own", "[data][windows]") {
  const WindowOrder order(10, /*seed=*/1);
  const Order first = order.batch(0, 10), second = order.batch(1, 10);
  CHECK(std::ranges::is_permutation(first, evenly_spaced(10, 10)));
  CHECK(std::ranges::is_permutation(second, evenly_spaced(10, 10)));
  CHECK(first != second);
  CHECK(first != WindowOrder(10, /*seed=*/2).batch(0, 10));
}

TEST_CASE("a batch depends on nothing but seed and step, and may cross an epoch's end",
          "[data][windows]") {
  const WindowOrder order(5, /*seed=*/3);
  const Order whole = order.batch(0, 12);
  REQUIRE(whole.size() == 12);
  for (std::int64_t step = 2; step >= 0; --step) {
    CHECK(order.batch(step, 4) == Order(whole.begin() + 4 * step, whole.begin() + 4 * step + 4));
  }
  CHECK_THROWS_WITH(WindowOrder(0, 1), Catch::Contains("no windows"));
}

TEST_CASE("evenly spaced windows start at the first", "[data][windows]") {
  CHECK(evenly_spaced(10, 4) == Order{0, 2, 5, 7});
  CHECK(evenly_spaced(3, 5) == Order{0, 1, 2});
  CHECK(evenly_spaced(3, 0).empty());
}
