#include "data/process/memory.h"

#include <malloc.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <limits>
#include <string>
#include <string_view>

#include "data/base/error.h"
#include "data/files/file.h"

namespace dualpath {
namespace {

/// A line of such a file reads "VmHWM:     1234 kB".
std::int64_t field_bytes(const char* file, std::string_view field) {
  const std::string text = read_file(file);
  const std::size_t line = text.find(field);
  const std::size_t digits = text.find_first_of("0123456789", line);
  std::int64_t kilobytes = 0;
  if (line == std::string::npos || digits == std::string::npos ||
      std::from_chars(&text[digits], text.data() + text.size(), kilobytes).ec != std::errc()) {
    throw Error("{}: expected a line {}", file, field);
  }
  return kilobytes * 1024;
}

/// The number that a control group's file holds; nothing if there is no such file, or no limit.
std::optional<std::int64_t> group_bytes(const char* file) {
  std::int64_t bytes = 0;
  return std::ifstream(file) >> bytes ? std::optional(bytes) : std::nullopt;
}

}  // namespace

std::int64_t resident_bytes() { return field_bytes("/proc/self/status", "VmRSS:"); }
std::int64_t peak_resident_bytes() { return field_bytes("/proc/self/status", "VmHWM:"); }

std::int64_t available_bytes() {
  const std::int64_t of_machine = field_bytes("/proc/meminfo", "MemAvailable:");
  const auto most = group_bytes("/sys/fs/cgroup/memory.max");
  const auto used = group_bytes("/sys/fs/cgroup/memory.current");
  return most && used ? std::clamp<std::int64_t>(*most - *used, 0, of_machine) : of_machine;
}

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
