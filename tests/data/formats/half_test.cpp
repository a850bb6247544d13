#include "data/formats/half.h"

#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

using namespace dualpath::data;

namespace {

struct Format {
  float (*widen)(std::uint16_t);
  std::uint16_t (*narrow)(float);
  std::uint16_t infinity;  // the pattern; all below are finite and not negative
};

const Format kFloat16{float16_to_float, float_to_float16, 0x7c00};
const Format kBfloat16{bfloat16_to_float, float_to_bfloat16, 0x7f80};

/// Halfway between the finite pattern and the next; for the largest, where infinity would be next.
float middle_above(const Format& format, std::uint16_t pattern) {
  const double low = format.widen(pattern);
  const double step =
      pattern == 0 ? format.widen(1) : low - format.widen(static_cast<std::uint16_t>(pattern - 1));
  const bool starts_binade = pattern + 1 < format.infinity;
  const double high =
      starts_binade ? format.widen(static_cast<std::uint16_t>(pattern + 1)) : low + step;
  return static_cast<float>((low + high) / 2);
}

}  // namespace

TEST_CASE("float16 widens to the values of IEEE 754", "[formats][half]") {
  CHECK(float16_to_float(0x3c00) == 1.0f);
  CHECK(float16_to_float(0xc000) == -2.0f);
  CHECK(float16_to_float(0x7bff) == 65504.0f);
  CHECK(float16_to_float(0x0001) == 0x1p-24f);
  CHECK(float16_to_float(0x03ff) == 1023 * 0x1p-24f);
  CHECK(float16_to_float(0x7c00) == std::numeric_limits<float>::infinity());
  CHECK(std::isnan(float16_to_float(0x7e00)));
  CHECK(std::signbit(float16_to_float(0x8000)));
}

TEST_CASE("bfloat16 is the upper half of float32", "[formats][half]") {
  CHECK(bfloat16_to_float(0x3f80) == 1.0f);
  CHECK(bfloat16_to_float(0x0001) == std::bit_cast<float>(0x00010000u));
}

TEST_CASE("all 65 536 patterns survive widening and narrowing", "[formats][half]") {
  const Format format = GENERATE(kFloat16, kBfloat16);
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    const auto pattern = static_cast<std::uint16_t>(bits);
    const float value = format.widen(pattern);
    const std::uint16_t back = format.narrow(value);
    if (std::isnan(value)) {
      REQUIRE(std::isnan(format.widen(back)));
    } else {
      REQUIRE(back == pattern);
    }
  }
}

TEST_CASE("narrowing rounds to nearest, ties to even, at every boundary", "[formats][half]") {
  const Format format = GENERATE(kFloat16, kBfloat16);
  for (std::uint16_t pattern = 0; pattern < format.infinity; ++pattern) {
    const auto next = static_cast<std::uint16_t>(pattern + 1);
    const float middle = middle_above(format, pattern);
    REQUIRE(format.narrow(std::nextafter(middle, 0.0f)) == pattern);
    REQUIRE(format.narrow(middle) == (pattern % 2 == 0 ? pattern : next));
    REQUIRE(format.narrow(std::nextafter(middle, std::numeric_limits<float>::infinity())) == next);
    REQUIRE(format.narrow(-middle) == (0x8000 | format.narrow(middle)));
  }
}

TEST_CASE("a NaN narrows to a NaN whatever its payload", "[formats][half]") {
  const Format format = GENERATE(kFloat16, kBfloat16);
  for (const std::uint32_t bits : {0x7f800001u, 0x7fc00000u, 0xffffffffu}) {
    CHECK(std::isnan(format.widen(format.narrow(std::bit_cast<float>(bits)))));
  }
}
