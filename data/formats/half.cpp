#include "data/formats/half.h"

namespace dualpath::data {
namespace {

constexpr std::uint32_t kBiasDifference = 112u << 23;  // float32's exponent bias 127, float16's 15

std::uint16_t float16_magnitude(std::uint32_t magnitude) {
  if (magnitude > 0x7f800000u)
    return static_cast<std::uint16_t>(0x7e00u | (magnitude >> 13 & 0x3ffu));
  if (magnitude >= 0x477ff000u) return 0x7c00u;  // 65520 and more round to infinity
  if (magnitude < 0x38800000u) {                 // below 2^-14: a subnormal, in steps of 2^-24
    // Float32 has these steps just above 0.5, so the addition rounds as wanted.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(shifted) - 0x3f000000u);
  }
  const std::uint32_t odd = magnitude >> 13 & 1u;
  return static_cast<std::uint16_t>((magnitude - kBiasDifference + 0xfffu + odd) >> 13);
}

std::uint32_t float_magnitude(std::uint32_t magnitude) {
  if (magnitude >= 0x7c00u) return magnitude << 13 | 0x7f800000u;  // infinity, NaN
  if (magnitude >= 0x0400u) return (magnitude << 13) + kBiasDifference;
  return std::bit_cast<std::uint32_t>(static_cast<float>(magnitude) * 0x1p-24f);
}

}  // namespace

float float16_to_float(std::uint16_t bits) {
  const std::uint32_t sign = (bits & 0x8000u) << 16;
  return std::bit_cast<float>(sign | float_magnitude(bits & 0x7fffu));
}

std::uint16_t float_to_float16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return static_cast<std::uint16_t>(bits >> 16 & 0x8000u) | float16_magnitude(bits & 0x7fffffffu);
}

}  // namespace dualpath::data
