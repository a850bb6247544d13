#pragma once

#include <bit>
#include <cstdint>

namespace dualpath::data {

// Conversions of the two 16-bit formats as bit patterns. To 16 bits, values are rounded to nearest,
// ties to even; too large ones become infinity, and NaN stays a (quiet) NaN. To 32 bits they are
// exact.

inline float bfloat16_to_float(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

inline std::uint16_t float_to_bfloat16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<std::uint16_t>(bits >> 16 | 0x40u);
  const std::uint32_t odd = bits >> 16 & 1u;
  return static_cast<std::uint16_t>((bits + 0x7fffu + odd) >> 16);
}

float float16_to_float(std::uint16_t bits);
std::uint16_t float_to_float16(float value);

}  // namespace dualpath::data
