#include "data/formats/ggml_blocks.h"

#include <bit>
#include <cstdint>
#include <cstring>

#include "data/formats/half.h"

// The layouts below list a block's fields in the order of its bytes. "halves": byte i of 16 holds
// value i in its low half, value i + 16 in its high one; larger blocks repeat this.

namespace dualpath::data {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

constexpr int kSmall = 32;   // elements of a block, Q4_0 … Q8_0
constexpr int kLarge = 256;  // elements of a block, Q2_K … Q6_K

float half_at(const std::byte* from) {
  std::uint16_t bits;
  std::memcpy(&bits, from, sizeof bits);
  return float16_to_float(bits);
}

/// `count` bits of a byte, from bit `shift` on.
int bits(std::byte from, int shift, int count) {
  return std::to_integer<int>(from) >> shift & ((1 << count) - 1);
}

/// A whole byte with its sign.
int code(std::byte from) { return std::bit_cast<std::int8_t>(from); }

/// Value i of 32 in halves.
int half_byte(const std::byte* halves, int i) { return bits(halves[i % 16], i / 16 * 4, 4); }

/// Value i of 32 with a fifth bit, bit i of the four bytes at `fifth`.
int five_bits(const std::byte* fifth, const std::byte* halves, int i) {
  return half_byte(halves, i) | bits(fifth[i / 8], i % 8, 1) << 4;
}

/// Eight scales and eight minima of 6 bits in 12 bytes: the first four of each in the low bits of
/// bytes 0-3 and 4-7, the others' low halves in bytes 8-11, and their high bits on top of 0-7.
int packed_scale(const std::byte* packed, int i) {
  if (i < 4) return bits(packed[i], 0, 6);
  return bits(packed[i + 4], 0, 4) | bits(packed[i - 4], 6, 2) << 4;
}

int packed_minimum(const std::byte* packed, int i) {
  if (i < 4) return bits(packed[i + 4], 0, 6);
  return bits(packed[i + 4], 4, 4) | bits(packed[i], 6, 2) << 4;
}

/// Q3_K's 16 scales of 6 bits, less 32, in 12 bytes: low halves in bytes 0-7, the rest in 8-11.
int packed_scale_q3(const std::byte* packed, int i) {
  return (bits(packed[i % 8], i / 8 * 4, 4) | bits(packed[8 + i % 4], i / 4 * 2, 2) << 4) - 32;
}

/// Value i of 256 of 2 bits: a byte holds four that lie 32 apart.
int two_bits(const std::byte* quarters, int i) {
  return bits(quarters[i / 128 * 32 + i % 32], i / 32 % 4 * 2, 2);
}

/// Value i of 256 of 4 bits: a byte holds two that lie 32 apart.
int four_bits(const std::byte* nibbles, int i) {
  return bits(nibbles[i / 64 * 32 + i % 32], i / 32 % 2 * 4, 4);
}

float product(float scale, int factor) { return scale * static_cast<float>(factor); }

}  // namespace

/// scale (float16), halves less 8.
void dequantize_q4_0(const std::byte* block, float* values) {
  const float scale = half_at(block);
  for (int i = 0; i < kSmall; ++i) values[i] = product(scale, half_byte(block + 2, i) - 8);
}

/// scale, minimum, halves.
void dequantize_q4_1(const std::byte* block, float* values) {
  const float scale = half_at(block), minimum = half_at(block + 2);
  for (int i = 0; i < kSmall; ++i) values[i] = product(scale, half_byte(block + 4, i)) + minimum;
}

/// scale, fifth bits, halves; less 16.
void dequantize_q5_0(const std::byte* block, float* values) {
  const float scale = half_at(block);
  for (int i = 0; i < kSmall; ++i) {
    values[i] = product(scale, five_bits(block + 2, block + 6, i) - 16);
  }
}

/// scale, minimum, fifth bits, halves.
void dequantize_q5_1(const std::byte* block, float* values) {
  const float scale = half_at(block), minimum = half_at(block + 2);
  for (int i = 0; i < kSmall; ++i) {
    values[i] = product(scale, five_bits(block + 4, block + 8, i)) + minimum;
  }
}

/// scale, 32 × int8.
void dequantize_q8_0(const std::byte* block, float* values) {
  const float scale = half_at(block);
  for (int i = 0; i < kSmall; ++i) values[i] = product(scale, code(block[2 + i]));
}

/// 16 × (scale in the low half, minimum in the high one), 64 bytes of two_bits, scale of the
/// scales, scale of the minima.
void dequantize_q2_k(const std::byte* block, float* values) {
  const float scale = half_at(block + 80), minimum = half_at(block + 82);
  for (int i = 0; i < kLarge; ++i) {
    const std::byte packed = block[i / 16];
    const float step = product(scale, bits(packed, 0, 4));
    values[i] = product(step, two_bits(block + 16, i)) - product(minimum, bits(packed, 4, 4));
  }
}

/// 32 bytes of third bits (one set means that nothing is taken off), 64 bytes of two_bits, packed
/// scales, their scale.
void dequantize_q3_k(const std::byte* block, float* values) {
  const float scale = half_at(block + 108);
  for (int i = 0; i < kLarge; ++i) {
    const int level = two_bits(block + 32, i) - (bits(block[i % 32], i / 32, 1) == 1 ? 0 : 4);
    values[i] = product(product(scale, packed_scale_q3(block + 96, i / 16)), level);
  }
}

/// Scale of the scales, scale of the minima, packed scales and minima, 128 bytes of four_bits.
void dequantize_q4_k(const std::byte* block, float* values) {
  const float scale = half_at(block), minimum = half_at(block + 2);
  for (int i = 0; i < kLarge; ++i) {
    const float step = product(scale, packed_scale(block + 4, i / 32));
    values[i] = product(step, four_bits(block + 16, i)) -
                product(minimum, packed_minimum(block + 4, i / 32));
  }
}

/// The fields of Q4_K, with 32 bytes of fifth bits before the four_bits.
void dequantize_q5_k(const std::byte* block, float* values) {
  const float scale = half_at(block), minimum = half_at(block + 2);
  for (int i = 0; i < kLarge; ++i) {
    const float step = product(scale, packed_scale(block + 4, i / 32));
    const int level = four_bits(block + 48, i) | bits(block[16 + i % 32], i / 32, 1) << 4;
    values[i] = product(step, level) - product(minimum, packed_minimum(block + 4, i / 32));
  }
}

/// 128 bytes of low halves (a byte holds two values that lie 64 apart), 64 bytes of two_bits above
/// them, 16 × int8 scales, their scale; less 32.
void dequantize_q6_k(const std::byte* block, float* values) {
  const float scale = half_at(block + 208);
  for (int i = 0; i < kLarge; ++i) {
    const int low = bits(block[i / 128 * 64 + i % 64], i / 64 % 2 * 4, 4);
    const int level = (low | two_bits(block + 128, i) << 4) - 32;
    values[i] = product(product(scale, code(block[192 + i / 16])), level);
  }
}

}  // namespace dualpath::data
