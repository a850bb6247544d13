#include "data/process/memory.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <vector>

#include "tests/support/child_process.h"
#include "tests/support/sanitizer.h"

using namespace dualpath;
using dualpath::testing::in_child;
using dualpath::testing::kAddressSanitizer;

namespace {

constexpr std::int64_t kFreed = 24 << 20;

/// Megabytes that stay resident of a block that is freed; the sanitizer asks for none.
[[maybe_unused]] int kept_megabytes() {
  const std::int64_t before = resident_bytes();
  { const std::vector<char> touched(kFreed, 'x'); }
  return static_cast<int>(std::max<std::int64_t>(0, resident_bytes() - before) >> 20);
}

}  // namespace

TEST_CASE("resident memory follows what the process touches, and the peak stays",
          "[base][memory]") {
  constexpr std::int64_t kSize = 128 << 20;
  const std::int64_t before = resident_bytes();
  {
    const std::vector<char> touched(kSize, 'x');
    CHECK(resident_bytes() - before > kSize * 9 / 10);
    CHECK(touched.back() == 'x');
  }
  CHECK(peak_resident_bytes() - before > kSize * 9 / 10);
  const std::int64_t now =
      resident_bytes();  // before the peak is asked for: asking takes memory, too
  CHECK(peak_resident_bytes() >= now);
}

TEST_CASE("the peak can start anew where the kernel allows it", "[base][memory]") {
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

TEST_CASE("freed memory goes back to the system, or stays where it was asked to",
          "[base][memory]") {
  if (kAddressSanitizer) {
    WARN("SKIP: the sanitizer has an allocator of its own");
    return;
  }
  CHECK(in_child([] { return kept_megabytes(); }).code < 2);
  CHECK(in_child([] {
          keep_freed_memory();
          return kept_megabytes();
        }).code > 22);
  CHECK(in_child([] {
          keep_freed_memory();
          const int kept = kept_megabytes();
          const std::int64_t before = resident_bytes();
          release_freed_memory();
          const auto given_back = static_cast<int>((before - resident_bytes()) >> 20);
          return std::abs(kept - given_back);
        }).code < 2);
}
