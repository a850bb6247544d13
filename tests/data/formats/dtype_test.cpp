#include "data/formats/dtype.h"

#include <array>
#include <catch2/catch.hpp>
#include <limits>

#include "tests/support/error_message.h"

using namespace dualpath::data;
using dualpath::testing::error_message;

TEST_CASE("names and sizes of dtypes are those of safetensors", "[formats][dtype]") {
  CHECK(name_of(DType::kBF16) == "BF16");
  CHECK(dtype_named("BOOL") == DType::kBool);
  CHECK_FALSE(dtype_named("F8_E4M3"));
  for (int i = 0; i <= static_cast<int>(DType::kF64); ++i) {
    const auto dtype = static_cast<DType>(i);
    CHECK(dtype_named(name_of(dtype)) == dtype);
    const std::string_view name = name_of(dtype);  // ends in its number of bits
    CHECK(size_of(dtype) ==
          (dtype == DType::kBool
               ? 1
               : std::stoul(std::string(name.substr(name.find_first_of("0123456789")))) / 8));
  }
}

TEST_CASE("the number of elements is exact or refused", "[formats][dtype]") {
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  using Shape = std::vector<std::int64_t>;
  CHECK(checked_numel(Shape{}) == 1);
  CHECK(checked_numel(Shape{3, 0, 5}) == 0);
  CHECK(checked_numel(Shape{kMax}) == kMax);
  CHECK_FALSE(checked_numel(Shape{kMax, 2}));
  CHECK_FALSE(checked_numel(Shape{2, -1}));
  CHECK(error_message([] {
          static_cast<void>(TensorView{DType::kU8, {kMax, 2}, {}}.numel());
        }) == "[9223372036854775807, 2]: expected a shape of sizes that can be multiplied");
}

TEST_CASE("a TensorView knows whether its bytes can be read in place", "[formats][dtype]") {
  alignas(8) const std::array<std::byte, 16> memory{};
  const std::span<const std::byte> bytes(memory);
  CHECK(TensorView{DType::kF32, {2}, bytes.subspan(4, 8)}.aligned());
  CHECK_FALSE(TensorView{DType::kF32, {2}, bytes.subspan(2, 8)}.aligned());
  CHECK(TensorView{DType::kBF16, {4}, bytes.subspan(2, 8)}.aligned());
}
