#include "data/formats/ggml_type.h"

#include <array>
#include <bit>
#include <cstring>
#include <string_view>

#include "data/base/error.h"
#include "data/formats/half.h"

namespace dualpath::data {
namespace {

// ggml's names by id; empty where an id was withdrawn.
constexpr std::array<std::string_view, 40> kNames{
    "F32",     "F16",    "Q4_0",    "Q4_1",  "",       "",      "Q5_0",  "Q5_1",
    "Q8_0",    "Q8_1",   "Q2_K",    "Q3_K",  "Q4_K",   "Q5_K",  "Q6_K",  "Q8_K",
    "IQ2_XXS", "IQ2_XS", "IQ3_XXS", "IQ1_S", "IQ4_NL", "IQ3_S", "IQ2_S", "IQ4_XS",
    "I8",      "I16",    "I32",     "I64",   "F64",    "IQ1_M", "BF16",  "",
    "",        "",       "TQ1_0",   "TQ2_0", "",       "",      "",      "MXFP4"};

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

template <class T>
T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

// One block each, as ggml lays it out.

void dequantize_f32(const std::byte* block, float* values) { values[0] = load<float>(block); }

void dequantize_f16(const std::byte* block, float* values) {
  values[0] = float16_to_float(load<std::uint16_t>(block));
}

void dequantize_bf16(const std::byte* block, float* values) {
  values[0] = bfloat16_to_float(load<std::uint16_t>(block));
}

/// float16 scale, 32 × int8.
void dequantize_q8_0(const std::byte* block, float* values) {
  const float scale = float16_to_float(load<std::uint16_t>(block));
  for (int i = 0; i < 32; ++i) values[i] = scale * load<std::int8_t>(block + 2 + i);
}

/// float16 scale, float16 minimum, 16 bytes: the low halves are the first 16 values, the high ones
/// the last.
void dequantize_q4_1(const std::byte* block, float* values) {
  const float scale = float16_to_float(load<std::uint16_t>(block));
  const float minimum = float16_to_float(load<std::uint16_t>(block + 2));
  for (int i = 0; i < 16; ++i) {
    const auto pair = load<std::uint8_t>(block + 4 + i);
    values[i] = scale * static_cast<float>(pair & 0x0f) + minimum;
    values[i + 16] = scale * static_cast<float>(pair >> 4) + minimum;
  }
}

using DequantizeBlock = void (*)(const std::byte*, float*);

DequantizeBlock dequantizer_of(GgmlType type) {
  switch (type) {
    case GgmlType::kF32:
      return dequantize_f32;
    case GgmlType::kF16:
      return dequantize_f16;
    case GgmlType::kBF16:
      return dequantize_bf16;
    case GgmlType::kQ8_0:
      return dequantize_q8_0;
    case GgmlType::kQ4_1:
      return dequantize_q4_1;
  }
  throw Error("GGUF: cannot dequantize {}", ggml_type_name(static_cast<std::uint32_t>(type)));
}

}  // namespace

GgmlBlock block_of(GgmlType type) {
  switch (type) {
    case GgmlType::kF32:
      return {1, 4};
    case GgmlType::kF16:
      return {1, 2};
    case GgmlType::kBF16:
      return {1, 2};
    case GgmlType::kQ8_0:
      return {32, 34};
    case GgmlType::kQ4_1:
      return {32, 20};
  }
  throw Error("GGUF: cannot read {}", ggml_type_name(static_cast<std::uint32_t>(type)));
}

std::optional<GgmlType> ggml_type(std::uint32_t id) {
  const auto type = static_cast<GgmlType>(id);
  switch (type) {
    case GgmlType::kF32:
    case GgmlType::kF16:
    case GgmlType::kBF16:
    case GgmlType::kQ8_0:
    case GgmlType::kQ4_1:
      return type;
  }
  return std::nullopt;
}

std::string ggml_type_name(std::uint32_t id) {
  const bool known = id < kNames.size() && !kNames[id].empty();
  return known ? std::string(kNames[id]) : fmt::format("type {}", id);
}

void dequantize(GgmlType type, std::span<const std::byte> bytes, std::span<float> values) {
  const GgmlBlock block = block_of(type);
  const DequantizeBlock dequantize_block = dequantizer_of(type);
  const std::size_t blocks = bytes.size() / block.bytes;
  const auto elements = static_cast<std::size_t>(block.elements);
  if (bytes.size() % block.bytes != 0 || values.size() != blocks * elements) {
    throw Error("GGUF: {} bytes of {} do not hold {} values", bytes.size(),
                ggml_type_name(static_cast<std::uint32_t>(type)), values.size());
  }
  for (std::size_t i = 0; i < blocks; ++i) {
    dequantize_block(&bytes[i * block.bytes], &values[i * elements]);
  }
}

}  // namespace dualpath::data
