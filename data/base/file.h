#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

namespace dualpath {

/// The whole content of a file, as bytes.
std::string read_file(const std::filesystem::path& path);

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
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace dualpath
