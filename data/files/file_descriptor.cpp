#include "data/files/file_descriptor.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "data/base/error.h"

namespace dualpath {

void throw_system_error(const std::filesystem::path& path, std::string_view action) {
  const int reason = errno;
  throw Error("{}: cannot {}: {}", path.string(), action, std::strerror(reason));
}

FileDescriptor::FileDescriptor(std::filesystem::path path, int flags, mode_t mode)
    : path_(std::move(path)),
      descriptor_(::open(path_.c_str(), flags | O_CLOEXEC | O_NONBLOCK, mode)) {
  if (descriptor_ < 0) throw_system_error(path_, (flags & O_CREAT) != 0 ? "create" : "open");
}

FileDescriptor::~FileDescriptor() { ::close(descriptor_); }

std::uint64_t FileDescriptor::regular_file_size() const {
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0) throw_system_error(path_, "stat");
  if (!S_ISREG(status.st_mode)) {
    throw Error("{}: expected a file, got {}", path_.string(),
                S_ISDIR(status.st_mode) ? "a directory" : "a device or pipe");
  }
  return static_cast<std::uint64_t>(status.st_size);
}

std::size_t FileDescriptor::read(std::span<std::byte> buffer) const {
  while (true) {
    const ssize_t n = ::read(descriptor_, buffer.data(), buffer.size());
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno != EINTR) throw_system_error(path_, "read");
  }
}

void FileDescriptor::seek(std::uint64_t offset) const {
  if (::lseek(descriptor_, static_cast<off_t>(offset), SEEK_SET) < 0) {
    throw_system_error(path_, "seek");
  }
}

void FileDescriptor::write_at(std::uint64_t offset, std::span<const std::byte> bytes) const {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_system_error(path_, "write");
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
}

void FileDescriptor::sync() const {
  if (::fsync(descriptor_) != 0) throw_system_error(path_, "fsync");
}

void sync_directory(const std::filesystem::path& directory) {
  FileDescriptor(directory, O_RDONLY | O_DIRECTORY).sync();
}

std::filesystem::path parent_directory(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

}  // namespace dualpath
