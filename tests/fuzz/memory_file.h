#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "data/files/file_descriptor.h"

namespace dualpath::fuzz {

/// A file that lies in memory only, for readers that want a path.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view content) : descriptor_(::memfd_create("fuzz", 0)) {
    if (descriptor_ < 0) throw_system_error("memfd", "create");
    const FileDescriptor file(path(), O_WRONLY);
    file.write_at(0, std::as_bytes(std::span(content)));
  }
  ~MemoryFile() { ::close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  std::filesystem::path path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

}  // namespace dualpath::fuzz
