#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

namespace dualpath {

/// An open file that closes itself. Every failure is an Error "<path>: cannot <action>: <reason>".
class FileDescriptor {
 public:
  /// flags: those of open(2). O_CLOEXEC is added, and O_NONBLOCK, since a pipe to which nobody
  /// writes must not keep us waiting.
  FileDescriptor(std::filesystem::path path, int flags, mode_t mode = 0666);
  ~FileDescriptor();
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;

  int get() const { return descriptor_; }
  const std::filesystem::path& path() const { return path_; }
  /// Size in bytes of a regular file; anything else is an Error.
  std::uint64_t regular_file_size() const;
  /// Reads on from the end of the last read. Returns the number of bytes read, 0 at the end of the
  /// file.
  std::size_t read(std::span<std::byte> buffer) const;
  /// Moves the place of the next read.
  void seek(std::uint64_t offset) const;
  void write_at(std::uint64_t offset, std::span<const std::byte> bytes) const;
  /// Waits until the disk has it.
  void sync() const;

 private:
  std::filesystem::path path_;
  int descriptor_;
};

/// fsync of a directory: makes the names in it durable (a rename is lost without it).
void sync_directory(const std::filesystem::path& directory);

/// The directory that holds path; "." for a bare name.
std::filesystem::path parent_directory(const std::filesystem::path& path);

/// Throws "<path>: cannot <action>: <reason>", the reason taken from errno.
[[noreturn]] void throw_system_error(const std::filesystem::path& path, std::string_view action);

}  // namespace dualpath
