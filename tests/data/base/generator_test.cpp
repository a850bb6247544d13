#include "data/base/generator.h"

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <vector>

using namespace dualpath;

TEST_CASE("Generator is xoshiro256** seeded by splitmix64, the same bits everywhere",
          "[base][generator]") {
  Generator zero(0);  // the published values for seed 0
  CHECK(zero.next() == 0x99ec5f36cb75f2b4);
  CHECK(zero.next() == 0xbf6e1f784956452a);
  CHECK(zero.next() == 0x1a5f849d4933e6e0);
}

TEST_CASE("derived streams differ from one another and come back the same", "[base][generator]") {
  std::set<std::uint64_t> first;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    for (std::uint64_t stream = 0; stream < 20; ++stream) {
      first.insert(Generator::derived(seed, stream).next());
    }
    first.insert(Generator::derived(seed, "calibration").next());
    first.insert(Generator::derived(seed, "training").next());
  }
  CHECK(first.size() == 20 * 22);
  CHECK(Generator::derived(7, "training").next() == Generator::derived(7, "training").next());
}

TEST_CASE("below(n) gives every value below n equally often", "[base][generator]") {
  Generator generator(1);
  std::array<int, 7> counts{};
  for (int i = 0; i < 70'000; ++i) ++counts[generator.below(7)];
  for (const int count : counts) CHECK(std::abs(count - 10'000) < 500);  // five standard deviations
  CHECK(generator.below(1) == 0);
}

TEST_CASE("below(n) has no bias where n does not divide 2^64", "[base][generator]") {
  // A plain remainder would meet the lowest third of these twice as often as the others.
  constexpr std::uint64_t kThird = std::uint64_t{1} << 62;
  Generator generator(5);
  int in_lowest_third = 0;
  for (int i = 0; i < 30'000; ++i) in_lowest_third += generator.below(3 * kThird) < kThird;
  CHECK(std::abs(in_lowest_third - 10'000) < 500);
}

TEST_CASE("uniform() lies in [0, 1) with mean 1/2", "[base][generator]") {
  Generator generator(2);
  double sum = 0;
  for (int i = 0; i < 100'000; ++i) {
    const double value = generator.uniform();
    REQUIRE((value >= 0 && value < 1));
    sum += value;
  }
  CHECK(sum / 100'000 == Approx(0.5).margin(0.005));
}

TEST_CASE("normal() has the moments and the tails of the normal distribution",
          "[base][generator]") {
  Generator generator(3);
  constexpr int kCount = 200'000;
  double sum = 0, squares = 0, fourth = 0;
  int beyond_two = 0;
  for (int i = 0; i < kCount; ++i) {
    const double x = generator.normal();
    sum += x;
    squares += x * x;
    fourth += x * x * x * x;
    beyond_two += std::abs(x) > 2;
  }
  CHECK(sum / kCount == Approx(0).margin(0.01));
  CHECK(squares / kCount == Approx(1).margin(0.02));
  CHECK(fourth / kCount == Approx(3).margin(0.15));
  CHECK(beyond_two / double{kCount} == Approx(0.0455).margin(0.003));
}

TEST_CASE("shuffle gives all orders equally often", "[base][generator]") {
  Generator generator(4);
  std::map<std::vector<int>, int> counts;
  for (int i = 0; i < 24'000; ++i) {
    std::vector<int> items{1, 2, 3, 4};
    generator.shuffle(items);
    ++counts[items];
  }
  CHECK(counts.size() == 24);
  for (const auto& [order, count] : counts)
    CHECK(std::abs(count - 1000) < 160);  // five standard deviations
}
