#include "data/files/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

#include "data/base/error.h"
#include "data/base/failpoint.h"
#include "data/files/places.h"

namespace dualpath {

std::filesystem::path temporary_path(const std::filesystem::path& path) {
  return path.string() + ".tmp-" + std::to_string(::getpid());
}

AtomicFile::AtomicFile(const std::filesystem::path& final_path)
    : final_path_(followed(final_path)),
      // Truncates instead of O_EXCL: in a container a killed run had our pid more often than not.
      file_(dualpath::temporary_path(final_path_), O_RDWR | O_CREAT | O_TRUNC) {}

AtomicFile::~AtomicFile() {
  if (!committed_) ::unlink(file_.path().c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  write_at(end_, bytes);
  end_ += bytes.size();
}

void AtomicFile::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
  failpoint("atomic_file.write");
  file_.write_at(offset, bytes);
}

void AtomicFile::commit() {
  failpoint("atomic_file.fsync");
  file_.sync();
  failpoint("atomic_file.rename");
  if (std::rename(file_.path().c_str(), final_path_.c_str()) != 0) {
    throw_system_error(final_path_, "replace");
  }
  committed_ = true;
  sync_directory(parent_directory(final_path_));
  failpoint("atomic_file.done");
}

void write_file(const std::filesystem::path& path, std::string_view content) {
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(content)));
  file.commit();
}

}  // namespace dualpath
