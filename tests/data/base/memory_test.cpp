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

TEST_CASE("The peak can start anew where the kernel allows it", "[base][memory]") {
  constexpr std::int64_t kSize = 128 << 20;
  { const std::vector<char> touched(kSize, 'x'); }
  const std::int64_t old_peak = peak_resident_bytes();
  release_freed_memory();
  const auto restarted = restart_peak_resident();
  if (!restarted) {
    WARN("SKIP: /proc/self/clear_refs cannot be written");
    return;
  }
  CHECK(*restarted < old_peak - kSize / 2);
  CHECK(peak_resident_bytes() < old_peak - kSize / 2);
}
