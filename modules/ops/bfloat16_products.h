#pragma once

#include <cstdint>

namespace dualpath::modules {

/// Whether the CPU multiplies matrices of bfloat16 by itself: AVX-512, or AVX2 with its NE_CONVERT.
bool has_bfloat16_products();

/// Makes products of bfloat16 matrices go by way of float32 from here on, if the CPU has none of
/// its own: sums in float32, rounded once, as elsewhere up to their order. torch 2.11 has scalar
/// loops there, which take many times as long. Does nothing when called again.
void speed_up_bfloat16_products();

/// Elements of a right operand that these products hold in float32 at a time, at most.
inline constexpr std::int64_t kMostWidened = 1 << 26;

}  // namespace dualpath::modules
