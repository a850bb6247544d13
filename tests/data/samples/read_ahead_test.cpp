#include "data/samples/read_ahead.h"

#include <atomic>
#include <chrono>
#include <stdexcept>

#include "tests/support/catch.h"

using namespace dualpath::data;

namespace {

Batch numbered(std::int64_t number) {
  return {torch::full({1, 1}, number, torch::kInt64), torch::ones({1, 1}, torch::kBool),
          torch::full({1, 1}, kNoTarget, torch::kInt64)};
}

std::int64_t number_of(const Batch& batch) { return batch.ids.item<std::int64_t>(); }

}  // namespace

TEST_CASE("batches come in order, from wherever a run begins", "[data][read_ahead]") {
  for (const std::int64_t first : {0, 7}) {
    ReadAhead ahead(
        [](std::int64_t number) {
          std::this_thread::sleep_for(std::chrono::milliseconds(number % 3));
          return numbered(number);
        },
        first, 20);
    for (std::int64_t number = first; number < 20; ++number)
      CHECK(number_of(ahead.next()) == number);
    CHECK(ahead.waited_seconds() >= 0);
  }
}

TEST_CASE("no more batches are made ahead than the bound", "[data][read_ahead]") {
  std::atomic<std::int64_t> made = 0;
  std::atomic<bool> went_ahead = false;
  ReadAhead ahead(
      [&](std::int64_t number) {
        if (number >= ReadAhead::kReadAhead) went_ahead = true;
        ++made;
        return numbered(number);
      },
      0, 1000);
  while (made < ReadAhead::kReadAhead) std::this_thread::yield();
  CHECK(!went_ahead);
  ahead.next();
  while (!went_ahead) std::this_thread::yield();
  CHECK(made <= ReadAhead::kReadAhead + 1);
}

TEST_CASE("what goes wrong with a batch is thrown when it is asked for", "[data][read_ahead]") {
  ReadAhead ahead(
      [](std::int64_t number) {
        if (number == 2) throw std::runtime_error("broken");
        return numbered(number);
      },
      0, 4);
  CHECK(number_of(ahead.next()) == 0);
  CHECK(number_of(ahead.next()) == 1);
  CHECK_THROWS_WITH(ahead.next(), "broken");
  CHECK(number_of(ahead.next()) == 3);
}
