#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace dualpath::data {

enum class DType { kBool, kU8, kI8, kI16, kU16, kI32, kU32, kI64, kU64, kF16, kBF16, kF32, kF64 };

/// Bytes of one element.
std::size_t size_of(DType dtype);
/// Safetensors' name of a dtype: "BOOL", "U8", …, "BF16", "F32", "F64".
std::string_view name_of(DType dtype);
std::optional<DType> dtype_named(std::string_view name);

/// Product of the dimensions, 1 for a scalar; nothing if one is negative or the product exceeds
/// int64.
std::optional<std::int64_t> checked_numel(std::span<const std::int64_t> shape);

/// A tensor in someone else's memory: row-major and little-endian.
struct TensorView {
  DType dtype;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;  ///< numel() × size_of(dtype)

  std::int64_t numel() const;
  /// Whether bytes may be read as elements in place; a file need not align them.
  bool aligned() const;
};

}  // namespace dualpath::data
