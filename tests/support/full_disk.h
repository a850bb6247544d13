#pragma once

#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <csignal>
#include <cstddef>
#include <filesystem>
#include <string>

namespace dualpath::testing {

// Both functions are for a child process (see child_process.h): they limit it for good.

/// Mounts a file system of `bytes` bytes on directory, seen by this process alone. False if that is
/// not permitted (it takes root rights).
inline bool mount_tiny_disk(const std::filesystem::path& directory, std::size_t bytes) {
  const std::string options = "size=" + std::to_string(bytes);
  return ::unshare(CLONE_NEWNS) == 0 &&
         ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         ::mount("none", directory.c_str(), "tmpfs", 0, options.c_str()) == 0;
}

/// Lets writes beyond `bytes` in any file fail, as on a full disk.
inline void limit_file_size(std::size_t bytes) {
  std::signal(SIGXFSZ, SIG_IGN);  // or the process would be killed
  const rlimit limit{bytes, bytes};
  ::setrlimit(RLIMIT_FSIZE, &limit);
}

}  // namespace dualpath::testing
