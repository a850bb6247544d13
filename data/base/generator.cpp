#include "data/base/generator.h"

#include <bit>
#include <cmath>

namespace dualpath {
namespace {

/// One step of splitmix64 (Steele, Lea, Flood 2014): turns close seeds into distant ones.
std::uint64_t splitmix(std::uint64_t& state) {
  std::uint64_t z = state += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

}  // namespace

Generator::Generator(std::uint64_t seed) {
  for (std::uint64_t& word : state_) word = splitmix(seed);
}

Generator Generator::derived(std::uint64_t seed, std::uint64_t stream) {
  // Mixed one after the other, so that (1, 2) and (2, 1) differ.
  std::uint64_t key = splitmix(seed) ^ stream;
  return Generator(splitmix(key));
}

Generator Generator::derived(std::uint64_t seed, std::string_view stream) {
  return derived(seed, fnv1a(stream));
}

std::uint64_t Generator::next() {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

std::uint64_t Generator::below(std::uint64_t n) {
  const std::uint64_t surplus = -n % n;  // 2^64 mod n: this many values would come once too often
  while (true) {
    const std::uint64_t value = next();
    if (value >= surplus) return value % n;
  }
}

double Generator::uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }

double Generator::normal() {
  // Ratio of uniforms (Kinderman, Monahan 1977). The logarithm only accepts or rejects: a libm that
  // rounds it otherwise does not change the value returned, as Box-Muller's would.
  constexpr double kWidth = 1.7155277699214135;  // sqrt(8 / e)
  while (true) {
    const double u = 1.0 - uniform();  // (0, 1]
    const double x = kWidth * (uniform() - 0.5) / u;
    if (x * x <= -4.0 * std::log(u)) return x;
  }
}

}  // namespace dualpath
