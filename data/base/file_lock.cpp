#include "data/base/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "data/base/error.h"
#include "data/base/file.h"

namespace dualpath {
namespace {

[[noreturn]] void throw_held(const std::filesystem::path& path) {
  const std::string owner = read_file(path);  // empty between the owner's lock and its write
  throw Error("{}: another dualpath run (pid {}) is using this directory",
              parent_directory(path).string(), owner.empty() ? "unknown" : owner);
}

}  // namespace

FileLock::FileLock(std::filesystem::path path) : file_(std::move(path), O_RDWR | O_CREAT) {
  if (::flock(file_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) throw_held(file_.path());
    throw_system_error(file_.path(), "lock");
  }
  const std::string pid = std::to_string(::getpid());
  if (::ftruncate(file_.get(), 0) != 0) throw_system_error(file_.path(), "write");
  file_.write_at(0, std::as_bytes(std::span(pid)));
}

}  // namespace dualpath
