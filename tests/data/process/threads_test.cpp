#include "data/process/threads.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <numeric>
#include <stdexcept>
#include <vector>

using namespace dualpath;

TEST_CASE("each number is worked on once, and seen when it has ended", "[process][threads]") {
  std::vector<std::atomic<int>> calls(1000);
  std::size_t seen = 0;
  for_each_in_threads(
      calls.size(), [&](std::size_t i) { ++calls[i]; }, [&](std::size_t ended) { seen += ended; });
  CHECK(seen == calls.size());
  for (const auto& count : calls) CHECK(count == 1);
  for_each_in_threads(
      0, [](std::size_t) { FAIL(); }, [](std::size_t) { FAIL(); });
}

TEST_CASE("who sees an end may stop the rest", "[process][threads]") {
  std::atomic<int> calls = 0;
  const auto run = [&] {
    for_each_in_threads(
        1'000'000, [&](std::size_t) { ++calls; },
        [](std::size_t) { throw std::runtime_error("stop"); });
  };
  CHECK_THROWS_WITH(run(), "stop");
  const int at_the_throw = calls;
  CHECK(at_the_throw <= 1'000'000);
  CHECK(calls == at_the_throw);
}
