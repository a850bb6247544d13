#include "trainer/recipe/byte_size.h"

#include <catch2/catch.hpp>

using dualpath::trainer::byte_size;

TEST_CASE("a size is bytes, or a number and a unit", "[recipe]") {
  CHECK(byte_size("8000000000") == 8'000'000'000);
  CHECK(byte_size("8GB") == 8'000'000'000);
  CHECK(byte_size("8 GB") == 8'000'000'000);
  CHECK(byte_size("7.5GiB") == 8'053'063'680);
  CHECK(byte_size("1B") == 1);
  CHECK(byte_size("0.5kB") == 500);
  CHECK(byte_size("2TiB") == 2'199'023'255'552);
}

TEST_CASE("anything else is no size", "[recipe]") {
  for (const char* text : {"", "GB", "8 G B", "8gb", "8GBs", "-1", "0", "0.1", "nan", "inf",
                           "1e400", "99999999TB", "8  GB", " 8GB", "0x10", "1e9"})
    CHECK_FALSE(byte_size(text).has_value());
}
