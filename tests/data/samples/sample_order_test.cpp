#include "data/samples/sample_order.h"

#include <algorithm>
#include <map>

#include "tests/support/catch.h"

using namespace dualpath::data;

namespace {

constexpr std::uint64_t kSeed = 7;

/// The samples of the first steps, one behind the other.
std::vector<std::size_t> first_samples(const SampleOrder& order, std::int64_t steps,
                                       std::int64_t batch_size) {
  std::vector<std::size_t> samples;
  for (std::int64_t step = 0; step < steps; ++step)
    for (const std::size_t sample : order.batch(step, batch_size)) samples.push_back(sample);
  return samples;
}

}  // namespace

TEST_CASE("one group has the order of windows", "[data][order]") {
  const SampleOrder order({{5, 4}}, kSeed);
  const WindowOrder windows(5, kSeed);
  for (const std::int64_t step : {0, 1, 9}) CHECK(order.batch(step, 3) == windows.batch(step, 3));
}

TEST_CASE("groups are drawn by their ratios exactly, whatever their sizes", "[data][order]") {
  const SampleOrder order({{4, 6}, {100, 2}, {3, 4}}, kSeed);  // 3 : 1 : 2
  const std::vector<std::size_t> samples = first_samples(order, 20, 6);
  for (std::size_t begin = 0; begin < samples.size(); begin += 6) {
    std::map<int, int> counts;
    for (std::size_t i = begin; i < begin + 6; ++i)
      ++counts[samples[i] < 4 ? 0 : samples[i] < 104 ? 1 : 2];
    CHECK(counts == std::map<int, int>{{0, 3}, {1, 1}, {2, 2}});
  }
}

TEST_CASE("every epoch of a group visits each of its samples once", "[data][order]") {
  const SampleOrder order({{4, 3}, {3, 2}}, kSeed);
  std::vector<std::size_t> of_first;
  for (const std::size_t sample : first_samples(order, 8, 5))
    if (sample < 4) of_first.push_back(sample);
  REQUIRE(of_first.size() == 24);
  for (std::size_t epoch = 0; epoch < 6; ++epoch) {
    std::vector<std::size_t> seen(of_first.begin() + static_cast<std::ptrdiff_t>(4 * epoch),
                                  of_first.begin() + static_cast<std::ptrdiff_t>(4 * epoch + 4));
    std::ranges::sort(seen);
    CHECK(seen == std::vector<std::size_t>{0, 1, 2, 3});
  }
}

TEST_CASE("two processes at half the batch see what one sees", "[data][order]") {
  const SampleOrder order({{40, 3}, {30, 1}}, kSeed);
  CHECK(first_samples(order, 6, 4) == first_samples(order, 3, 8));
  CHECK(order.batch(5, 4) == SampleOrder({{40, 3}, {30, 1}}, kSeed).batch(5, 4));
  CHECK(order.batch(5, 4) != SampleOrder({{40, 3}, {30, 1}}, kSeed + 1).batch(5, 4));
}
