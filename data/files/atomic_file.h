#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

#include "data/files/file_descriptor.h"

namespace dualpath {

/// Writes a file so that others see all of it or nothing, also across a power cut:
///   AtomicFile file("report.json");
///   file.write(bytes);
///   file.commit();  // fsync, rename over "report.json", fsync of the directory
/// Until then the bytes lie in "report.json.tmp-<pid>", removed if commit() is never reached.
/// A full disk is an Error naming the file; what stood there before stays. A link is followed: the
/// file it names is replaced, and the link stays.
class AtomicFile {
 public:
  explicit AtomicFile(const std::filesystem::path& final_path);
  ~AtomicFile();

  /// Appends after the last write().
  void write(std::span<const std::byte> bytes);
  /// Puts bytes at an offset, before or past the end; write() goes on where it was.
  void write_at(std::uint64_t offset, std::span<const std::byte> bytes);
  /// Puts the file in its place; called once, as the last call.
  void commit();

  /// The file that holds the bytes until commit().
  const std::filesystem::path& temporary_path() const { return file_.path(); }

 private:
  std::filesystem::path final_path_;
  FileDescriptor file_;
  std::uint64_t end_ = 0;
  bool committed_ = false;
};

/// Writes `content` by an AtomicFile.
void write_file(const std::filesystem::path& path, std::string_view content);

/// "<path>.tmp-<pid>": the place where this process builds `path`.
std::filesystem::path temporary_path(const std::filesystem::path& path);

}  // namespace dualpath
