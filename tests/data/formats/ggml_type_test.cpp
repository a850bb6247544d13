#include "data/formats/ggml_type.h"

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cstring>
#include <numeric>
#include <vector>

#include "tests/support/error_message.h"

using namespace dualpath::data;
using dualpath::testing::error_message;

namespace {

constexpr std::array<std::uint8_t, 2> kHalf{0x00, 0x38};        // 0.5 as float16, little-endian
constexpr std::array<std::uint8_t, 2> kMinusThree{0x00, 0xc2};  // -3

std::vector<float> values_of(GgmlType type, const std::vector<std::uint8_t>& bytes,
                             std::size_t count) {
  std::vector<float> values(count);
  dequantize(type, std::as_bytes(std::span(bytes)), values);
  return values;
}

}  // namespace

TEST_CASE("Q8_0: each of 32 codes times the scale", "[formats][gguf]") {
  std::vector<std::uint8_t> block(kHalf.begin(), kHalf.end());
  for (int i = 0; i < 32; ++i) block.push_back(static_cast<std::uint8_t>(i * 8 - 128));
  const std::vector<float> values = values_of(GgmlType::kQ8_0, block, 32);
  for (int i = 0; i < 32; ++i)
    CHECK(values[static_cast<std::size_t>(i)] == 0.5f * static_cast<float>(i * 8 - 128));
}

TEST_CASE("Q4_1: low halves first, then high halves, times the scale plus the minimum",
          "[formats][gguf]") {
  std::vector<std::uint8_t> block(kHalf.begin(), kHalf.end());
  block.insert(block.end(), kMinusThree.begin(), kMinusThree.end());
  for (unsigned i = 0; i < 16; ++i) block.push_back(static_cast<std::uint8_t>((15 - i) << 4 | i));
  const std::vector<float> values = values_of(GgmlType::kQ4_1, block, 32);
  for (std::size_t i = 0; i < 16; ++i) {
    CHECK(values[i] == 0.5f * static_cast<float>(i) - 3.0f);
    CHECK(values[i + 16] == 0.5f * static_cast<float>(15 - i) - 3.0f);
  }
}

TEST_CASE("blocks follow one another, and floats are widened", "[formats][gguf]") {
  std::vector<std::uint8_t> two_blocks(68, 1);
  std::ranges::copy(kHalf, two_blocks.begin());
  std::ranges::copy(kMinusThree, two_blocks.begin() + 34);
  const std::vector<float> values = values_of(GgmlType::kQ8_0, two_blocks, 64);
  CHECK(values[31] == 0.5f);
  CHECK(values[32] == -3.0f);
  CHECK(values_of(GgmlType::kF16, {0x00, 0x38, 0x00, 0xc2}, 2) == std::vector<float>{0.5f, -3.0f});
  CHECK(values_of(GgmlType::kBF16, {0x00, 0x3f, 0x40, 0xc0}, 2) == std::vector<float>{0.5f, -3.0f});
  CHECK(values_of(GgmlType::kF32, {0, 0, 0, 0x3f}, 1) == std::vector<float>{0.5f});
}

TEST_CASE("sizes that do not agree are an Error", "[formats][gguf]") {
  CHECK(error_message([] { values_of(GgmlType::kQ8_0, std::vector<std::uint8_t>(33), 32); }) ==
        "GGUF: 33 bytes of Q8_0 do not hold 32 values");
  CHECK(error_message([] { values_of(GgmlType::kF32, std::vector<std::uint8_t>(8), 3); }) ==
        "GGUF: 8 bytes of F32 do not hold 3 values");
}

TEST_CASE("types that are not read still have a name", "[formats][gguf]") {
  CHECK(ggml_type(8) == GgmlType::kQ8_0);
  CHECK(ggml_type(12) == GgmlType::kQ4_K);
  CHECK_FALSE(ggml_type(20));
  CHECK(ggml_type_name(20) == "IQ4_NL");
  CHECK(ggml_type_name(30) == "BF16");
  CHECK(ggml_type_name(39) == "MXFP4");
  CHECK(ggml_type_name(4) == "type 4");
  CHECK(ggml_type_name(1'000'000) == "type 1000000");
}
