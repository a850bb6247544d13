#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <span>
#include <string>

namespace dualpath {

/// The whole content of a regular file, as bytes. A directory, device or pipe is an Error, and so
/// is a file of more than max_bytes, before any of it is read.
std::string read_file(const std::filesystem::path& path,
                      std::uint64_t max_bytes = std::numeric_limits<std::uint64_t>::max());

/// A regular file mapped read-only: opening costs nothing, pages come when they are touched.
/// Bytes stay valid while this object lives; safe to read from several threads. Truncating the file
/// meanwhile ends the process (SIGBUS), so we replace files by rename and never shorten them.
class MappedFile {
 public:
  explicit MappedFile(std::filesystem::path path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  /// Lets whole pages of these bytes leave memory; whoever reads them again reads the file again.
  void release(std::span<const std::byte> bytes) const;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace dualpath
