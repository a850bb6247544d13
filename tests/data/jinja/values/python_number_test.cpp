#include "data/jinja/values/python_number.h"

#include <catch2/catch.hpp>
#include <cmath>

using namespace dualpath;
using namespace dualpath::data::jinja;

namespace {

std::optional<std::int64_t> integer_in(std::string_view text, int base = 10) {
  Runtime runtime("t", {});
  return read_integer(runtime, text, base);
}

}  // namespace

TEST_CASE("an int is read as Python reads it", "[data][jinja]") {
  CHECK(integer_in(" +1_000\n") == 1000);
  CHECK(integer_in("-١٢") == -12);
  CHECK(integer_in("0x_ff", 16) == 255);
  CHECK(integer_in("zz", 36) == 35 * 36 + 35);
  CHECK(integer_in("-9223372036854775808") == INT64_MIN);
  for (const char* text : {"", "_1", "1_", "1__0", "+-1", "1.0", "0x1", "²", "\u212A"})
    CHECK_FALSE(integer_in(text));
  CHECK_THROWS_AS(integer_in("9223372036854775808"), Error);
}

TEST_CASE("a float is read as Python reads it", "[data][jinja]") {
  CHECK(read_float(" 1_0.5e1 ") == 105.0);
  CHECK(read_float("-.5") == -0.5);
  CHECK(read_float("٣.٥") == 3.5);
  CHECK(read_float("1e999") == HUGE_VAL);
  CHECK(read_float("-Infinity") == -HUGE_VAL);
  CHECK(std::isnan(*read_float("NaN")));
  for (const char* text : {"", ".", "1_.5", "0x10", "+-1", "1e", "nan(1)", "1 2"})
    CHECK_FALSE(read_float(text));
}

TEST_CASE("an int is compared with a float exactly", "[data][jinja]") {
  constexpr std::int64_t kBig = 123456789012345678;  // the next double is 2 larger
  CHECK(std::is_lt(order_of(kBig, 123456789012345680.0)));
  CHECK(std::is_eq(order_of(7, 7.0)));
  CHECK(std::is_gt(order_of(-7, -7.5)));
  CHECK(std::is_lt(order_of(INT64_MAX, 0x1p63)));
  CHECK_FALSE(std::is_lteq(order_of(1, std::nan(""))));
  CHECK_FALSE(std::is_gteq(order_of(1, std::nan(""))));
}

TEST_CASE("floats are divided towards minus infinity", "[data][jinja]") {
  CHECK(floor_divided(-3.0, -0.1) == 29.0);
  CHECK(floor_divided(7.0, -2.0) == -4.0);
  CHECK(floor_remainder(7.0, -2.0) == -1.0);
  CHECK(std::signbit(floor_remainder(4.0, -2.0)));
  CHECK(std::signbit(floor_divided(0.0, -2.0)));
}

TEST_CASE("a float is rounded by its exact value, half to even", "[data][jinja]") {
  CHECK(rounded(2.675, 2) == 2.67);
  CHECK(rounded(0.125, 2) == 0.12);
  CHECK(rounded(2.5, 0) == 2.0);
  CHECK(rounded(1.5, 400) == 1.5);
}
