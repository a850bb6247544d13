#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace dualpath::data {

/// The storage types of GGUF tensors that we read; the values are the file's.
enum class GgmlType : std::uint32_t {
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ4_1 = 3,
  kQ5_0 = 6,
  kQ5_1 = 7,
  kQ8_0 = 8,
  kQ2_K = 10,
  kQ3_K = 11,
  kQ4_K = 12,
  kQ5_K = 13,
  kQ6_K = 14,
  kBF16 = 30
};

/// Elements lie in blocks along the last dimension: block.elements of them take block.bytes.
struct GgmlBlock {
  std::int64_t elements;
  std::size_t bytes;
};
GgmlBlock block_of(GgmlType type);

/// The type of an id; nothing for a type we do not read.
std::optional<GgmlType> ggml_type(std::uint32_t id);
/// The name that ggml gives a type ("Q4_K"), also for types we do not read; "type 77" for one
/// unknown to us.
std::string ggml_type_name(std::uint32_t id);

/// Writes the values as float32, bit for bit equal to ggml's and the `gguf` Python package's. Sizes
/// must agree: bytes.size() / block.bytes × block.elements == values.size().
void dequantize(GgmlType type, std::span<const std::byte> bytes, std::span<float> values);

}  // namespace dualpath::data
