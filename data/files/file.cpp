#include "data/files/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "data/base/error.h"
#include "data/files/file_descriptor.h"

namespace dualpath {

std::string read_file(const std::filesystem::path& path, std::uint64_t max_bytes) {
  const FileDescriptor file(path, O_RDONLY);
  const std::uint64_t size = file.regular_file_size();
  const auto check = [&](std::uint64_t bytes) {
    if (bytes > max_bytes)
      throw Error("{}: expected at most {} bytes, got {}", path.string(), max_bytes, bytes);
  };
  check(size);
  std::string content;
  content.reserve(size);
  std::array<char, 1 << 16>
      buffer;  // a file may grow meanwhile; those of /proc have no size at all
  while (const std::size_t n = file.read(std::as_writable_bytes(std::span(buffer)))) {
    content.append(buffer.data(), n);
    check(content.size());
  }
  return content;
}

MappedFile::MappedFile(std::filesystem::path path) : path_(std::move(path)) {
  const FileDescriptor file(path_, O_RDONLY);
  size_ = file.regular_file_size();
  if (size_ == 0) return;  // mmap refuses to map nothing
  void* address = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (address == MAP_FAILED) throw_system_error(path_, "map");
  data_ = static_cast<const std::byte*>(address);
}

void MappedFile::release(std::span<const std::byte> bytes) const {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const auto offset = static_cast<std::size_t>(bytes.data() - data_);
  const std::size_t begin = (offset + page - 1) / page * page;
  const std::size_t end = (offset + bytes.size()) / page * page;
  if (begin < end) ::madvise(const_cast<std::byte*>(data_ + begin), end - begin, MADV_DONTNEED);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

}  // namespace dualpath
