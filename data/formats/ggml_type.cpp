#include "data/formats/ggml_type.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "data/base/error.h"
#include "data/formats/ggml_blocks.h"
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

void dequantize_f32(const std::byte* block, float* values) { std::memcpy(values, block, 4); }

void dequantize_f16(const std::byte* block, float* values) {
  std::uint16_t bits;
  std::memcpy(&bits, block, sizeof bits);
  values[0] = float16_to_float(bits);
}

void dequantize_bf16(const std::byte* block, float* values) {
  std::uint16_t bits;
  std::memcpy(&bits, block, sizeof bits);
  values[0] = bfloat16_to_float(bits);
}

struct BlockType {
  GgmlType type;
  GgmlBlock block;
  void (*dequantize)(const std::byte* block, float* values);
};

constexpr std::array<BlockType, 13> kBlockTypes{{{GgmlType::kF32, {1, 4}, dequantize_f32},
                                                 {GgmlType::kF16, {1, 2}, dequantize_f16},
                                                 {GgmlType::kBF16, {1, 2}, dequantize_bf16},
                                                 {GgmlType::kQ4_0, {32, 18}, dequantize_q4_0},
                                                 {GgmlType::kQ4_1, {32, 20}, dequantize_q4_1},
                                                 {GgmlType::kQ5_0, {32, 22}, dequantize_q5_0},
                                                 {GgmlType::kQ5_1, {32, 24}, dequantize_q5_1},
                                                 {GgmlType::kQ8_0, {32, 34}, dequantize_q8_0},
                                                 {GgmlType::kQ2_K, {256, 84}, dequantize_q2_k},
                                                 {GgmlType::kQ3_K, {256, 110}, dequantize_q3_k},
                                                 {GgmlType::kQ4_K, {256, 144}, dequantize_q4_k},
                                                 {GgmlType::kQ5_K, {256, 176}, dequantize_q5_k},
                                                 {GgmlType::kQ6_K, {256, 210}, dequantize_q6_k}}};

const BlockType* find_row(GgmlType type) {
  const auto found = std::ranges::find(kBlockTypes, type, &BlockType::type);
  return found == kBlockTypes.end() ? nullptr : &*found;
}

const BlockType& row_of(GgmlType type) {
  if (const BlockType* row = find_row(type)) return *row;
  throw Error("GGUF: cannot read {}", ggml_type_name(static_cast<std::uint32_t>(type)));
}

}  // namespace

GgmlBlock block_of(GgmlType type) { return row_of(type).block; }

std::optional<GgmlType> ggml_type(std::uint32_t id) {
  const auto type = static_cast<GgmlType>(id);
  return find_row(type) == nullptr ? std::nullopt : std::optional(type);
}

std::string ggml_type_name(std::uint32_t id) {
  const bool known = id < kNames.size() && !kNames[id].empty();
  return known ? std::string(kNames[id]) : fmt::format("type {}", id);
}

void dequantize(GgmlType type, std::span<const std::byte> bytes, std::span<float> values) {
  const auto& [same_type, block, dequantize_block] = row_of(type);
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
