#pragma once

#include <array>
#include <cstdint>
#include <ranges>
#include <string_view>
#include <utility>

namespace dualpath {

/// Random numbers that are the same bits on every machine: xoshiro256** (Blackman, Vigna 2018),
/// seeded by splitmix64. The standard library's distributions differ between implementations; these
/// do not. Not for secrets. One thread at a time.
class Generator {
 public:
  explicit Generator(std::uint64_t seed);
  /// Makes independent streams from one seed, by number (a step, a window) or by name (a purpose).
  /// No stream's state has to be saved: each can be made anew where it is needed.
  static Generator derived(std::uint64_t seed, std::uint64_t stream);
  static Generator derived(std::uint64_t seed, std::string_view stream);

  std::uint64_t next();
  /// Uniform in [0, n), without bias; n > 0.
  std::uint64_t below(std::uint64_t n);
  /// Uniform in [0, 1), 53 bits.
  double uniform();
  /// Mean 0, standard deviation 1.
  double normal();

  /// Shuffles in place, every order equally likely (Fisher, Yates).
  template <std::ranges::random_access_range Items>
  void shuffle(Items&& items) {
    using std::swap;
    const auto first = std::ranges::begin(items);
    for (auto left = std::ranges::ssize(items); left > 1; --left) {
      const auto pick = static_cast<decltype(left)>(below(static_cast<std::uint64_t>(left)));
      swap(first[left - 1], first[pick]);
    }
  }

 private:
  std::array<std::uint64_t, 4> state_;
};

}  // namespace dualpath
