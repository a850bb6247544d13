#include "data/formats/dtype.h"

#include <algorithm>
#include <array>

#include "data/base/error.h"

namespace dualpath::data {
namespace {

struct Row {
  DType dtype;
  std::string_view name;
  std::size_t size;
};

// The rows stand in the order of the enumeration.
constexpr std::array<Row, 13> kRows{{{DType::kBool, "BOOL", 1},
                                     {DType::kU8, "U8", 1},
                                     {DType::kI8, "I8", 1},
                                     {DType::kI16, "I16", 2},
                                     {DType::kU16, "U16", 2},
                                     {DType::kI32, "I32", 4},
                                     {DType::kU32, "U32", 4},
                                     {DType::kI64, "I64", 8},
                                     {DType::kU64, "U64", 8},
                                     {DType::kF16, "F16", 2},
                                     {DType::kBF16, "BF16", 2},
                                     {DType::kF32, "F32", 4},
                                     {DType::kF64, "F64", 8}}};

const Row& row(DType dtype) { return kRows[static_cast<std::size_t>(dtype)]; }

}  // namespace

std::size_t size_of(DType dtype) { return row(dtype).size; }

std::string_view name_of(DType dtype) { return row(dtype).name; }

std::optional<DType> dtype_named(std::string_view name) {
  const auto found = std::ranges::find(kRows, name, &Row::name);
  return found == kRows.end() ? std::nullopt : std::optional(found->dtype);
}

std::optional<std::int64_t> checked_numel(std::span<const std::int64_t> shape) {
  std::int64_t numel = 1;
  for (const std::int64_t size : shape) {
    if (size < 0 || __builtin_mul_overflow(numel, size, &numel)) return std::nullopt;
  }
  return numel;
}

std::int64_t TensorView::numel() const {
  const std::optional<std::int64_t> numel = checked_numel(shape);
  if (!numel)
    throw Error("[{}]: expected a shape of sizes that can be multiplied", fmt::join(shape, ", "));
  return *numel;
}

bool TensorView::aligned() const {
  return reinterpret_cast<std::uintptr_t>(bytes.data()) % size_of(dtype) == 0;
}

}  // namespace dualpath::data
