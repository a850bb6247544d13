#pragma once

#include <filesystem>
#include <optional>

#include "data/files/file_descriptor.h"

namespace dualpath {

enum class LockUse { kWrite, kRead };

/// Keeps a second run out of a directory. The lock is the kernel's and ends with the process,
/// however that ends. The file stays with the pid of its last owner, because deleting it would be a
/// race.
class FileLock {
 public:
  /// path: the lock file inside the directory it guards, made if missing. LockUse::kRead also takes
  /// a directory that may not be written (a read-only disk, another user's). There it shares an
  /// existing file with other readers, and locks nothing if there is no file. A lock that another
  /// process or another FileLock holds is an Error naming the directory and the pid.
  explicit FileLock(const std::filesystem::path& path, LockUse use = LockUse::kWrite);

  /// Whether the directory may be written; always with LockUse::kWrite.
  bool can_write() const { return can_write_; }

 private:
  bool can_write_;
  std::optional<FileDescriptor> file_;
};

}  // namespace dualpath
