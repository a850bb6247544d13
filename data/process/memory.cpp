#include "data/process/memory.h"

#include <malloc.h>

#include <charconv>
#include <fstream>
#include <limits>
#include <string>
#include <string_view>

#include "data/base/error.h"
#include "data/files/file.h"

namespace dualpath {
namespace {

/// A line of /proc/self/status reads "VmHWM:     1234 kB".
std::int64_t status_bytes(std::string_view field) {
  const std::string status = read_file("/proc/self/status");
  const std::size_t line = status.find(field);
  const std::size_t digits = status.find_first_of("0123456789", line);
  std::int64_t kilobytes = 0;
  if (line == std::string::npos || digits == std::string::npos ||
      std::from_chars(&status[digits], status.data() + status.size(), kilobytes).ec !=
          std::errc()) {
    throw Error("/proc/self/status: expected a line {}", field);
  }
  return kilobytes * 1024;
}

}  // namespace

std::int64_t resident_bytes() { return status_bytes("VmRSS:"); }
std::int64_t peak_resident_bytes() { return status_bytes("VmHWM:"); }

std::optional<std::int64_t> restart_peak_resident() {
  std::ofstream clear_refs("/proc/self/clear_refs");
  clear_refs << "5" << std::flush;  // see proc(5)
  return clear_refs ? std::optional(resident_bytes()) : std::nullopt;
}

void keep_freed_memory() {
  constexpr int kLargestOnHeap = 32 << 20;  // the largest value that glibc takes
  ::mallopt(M_MMAP_THRESHOLD, kLargestOnHeap);
  ::mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
}

void release_freed_memory() { ::malloc_trim(0); }

}  // namespace dualpath
