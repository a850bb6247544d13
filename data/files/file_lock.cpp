#include "data/files/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "data/base/error.h"
#include "data/files/file.h"

namespace dualpath {
namespace {

[[noreturn]] void throw_held(const std::filesystem::path& path) {
  const std::string owner = read_file(path);  // empty between the owner's lock and its write
  throw Error("{}: another dualpath run (pid {}) is using this directory",
              parent_directory(path).string(), owner.empty() ? "unknown" : owner);
}

bool may_write(const std::filesystem::path& path) {
  return ::access(parent_directory(path).c_str(), W_OK) == 0 &&
         (!std::filesystem::exists(path) || ::access(path.c_str(), W_OK) == 0);
}

}  // namespace

FileLock::FileLock(const std::filesystem::path& path, LockUse use)
    : can_write_(use == LockUse::kWrite || may_write(path)) {
  if (!can_write_ && !std::filesystem::exists(path)) return;
  file_.emplace(path, can_write_ ? O_RDWR | O_CREAT : O_RDONLY);
  if (::flock(file_->get(), (can_write_ ? LOCK_EX : LOCK_SH) | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) throw_held(path);
    throw_system_error(path, "lock");
  }
  if (!can_write_) return;
  const std::string pid = std::to_string(::getpid());
  if (::ftruncate(file_->get(), 0) != 0) throw_system_error(path, "write");
  file_->write_at(0, std::as_bytes(std::span(pid)));
}

}  // namespace dualpath
