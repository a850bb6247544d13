#pragma once

#include <filesystem>

#include "data/base/file_descriptor.h"

namespace dualpath {

/// Keeps a second run out of a directory. The lock is the kernel's and ends with the process,
/// however that ends; the file stays, holding the pid of its last owner, because deleting it would
/// be a race.
class FileLock {
 public:
  /// path: the lock file inside the directory it guards, made if missing.
  /// Held by another process or another FileLock: an Error naming the directory and the pid.
  explicit FileLock(std::filesystem::path path);

 private:
  FileDescriptor file_;
};

}  // namespace dualpath
