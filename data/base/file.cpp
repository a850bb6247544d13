#include "data/base/file.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <array>
#include <utility>

#include "data/base/file_descriptor.h"

namespace dualpath {

std::string read_file(const std::filesystem::path& path) {
  const FileDescriptor file(path, O_RDONLY);
  std::string content;
  std::array<char, 1 << 16> buffer;
  while (const std::size_t n = file.read(std::as_writable_bytes(std::span(buffer)))) {
    content.append(buffer.data(), n);
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

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

}  // namespace dualpath
