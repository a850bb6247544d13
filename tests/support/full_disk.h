#pragma once

#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <csignal>
#include <cstddef>
#include <filesystem>
#include <string>

namespace dualpath::testing {

// All functions are for a child process (see child_process.h): they limit it for good.

/// Lets this process and its children see mounts of their own. False if that is not permitted (it
/// takes root rights).
inline bool have_own_mounts() {
  return ::unshare(CLONE_NEWNS) == 0 &&
         ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

/// Mounts a file system of `bytes` bytes on directory, seen by this process and its children alone.
/// False if that is not permitted.
inline bool mount_tiny_disk(const std::filesystem::path& directory, std::size_t bytes) {
  const std::string options = "size=" + std::to_string(bytes);
  return have_own_mounts() && ::mount("none", directory.c_str(), "tmpfs", 0, options.c_str()) == 0;
}

/// Makes a directory read-only for those who share this process's mounts; files that are open for
/// writing stay so. False if that is not permitted.
inline bool make_read_only(const std::filesystem::path& directory) {
  const char* path = directory.c_str();
  return ::mount(path, path, nullptr, MS_BIND, nullptr) == 0 &&
         ::mount("none", path, nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr) == 0;
}

/// Lets writes beyond `bytes` in any file fail, as on a full disk.
inline void limit_file_size(std::size_t bytes) {
  std::signal(SIGXFSZ, SIG_IGN);  // or the process would be killed
  const rlimit limit{bytes, bytes};
  ::setrlimit(RLIMIT_FSIZE, &limit);
}

}  // namespace dualpath::testing
