#include "data/base/memory.h"

#include <catch2/catch.hpp>
#include <vector>

using namespace dualpath;

TEST_CASE("Resident memory follows what the process touches, and the peak stays",
          "[base][memory]") {
  constexpr std::int64_t kSize = 128 << 20;
  const std::int64_t before = resident_bytes();
  {
    const std::vector<char> touched(kSize, 'x');
    CHECK(resident_bytes() - before > kSize * 9 / 10);
    CHECK(touched.back() == 'x');
  }
  CHECK(peak_resident_bytes() - before > kSize * 9 / 10);
  CHECK(peak_resident_bytes() >= resident_bytes());
}
