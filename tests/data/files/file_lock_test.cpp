#include "data/files/file_lock.h"

#include <catch2/catch.hpp>
#include <csignal>
#include <optional>

#include "data/base/error.h"
#include "tests/support/child_process.h"
#include "tests/support/error_message.h"
#include "tests/support/full_disk.h"
#include "tests/support/temporary_directory.h"

using namespace dualpath;
using namespace dualpath::testing;

TEST_CASE("a held FileLock refuses another process and says which one holds it", "[base][lock]") {
  const TemporaryDirectory run;
  const std::string expected = run.path().string() + ": another dualpath run (pid " +
                               std::to_string(::getpid()) + ") is using this directory";
  std::optional<FileLock> lock(std::in_place, run / "lock");
  const auto message_in_child = [&] {
    return in_child(
        [&] { return error_message([&] { FileLock(run / "lock"); }) == expected ? 0 : 1; });
  };
  CHECK(message_in_child().code == 0);
  CHECK(error_message([&] { FileLock(run / "lock"); }) == expected);
  lock.reset();
  CHECK(message_in_child().code == 1);  // no refusal
}

TEST_CASE("a FileLock ends with its process, however that ends", "[base][lock]") {
  const TemporaryDirectory run;
  const ChildEnd end = in_child([&] {
    const FileLock lock(run / "lock");
    return std::raise(SIGKILL);
  });
  CHECK(end.signal == SIGKILL);
  CHECK_NOTHROW(FileLock(run / "lock"));
}

TEST_CASE("who only reads locks as far as a read-only disk lets him", "[base][lock]") {
  const TemporaryDirectory run;
  const bool there = GENERATE(true, false);
  const ChildEnd end = in_child([&] {
    if (!mount_tiny_disk(run.path(), 1 << 16)) return 2;
    if (there) FileLock(run / "lock");
    if (::mount("none", run.path().c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr)) return 2;
    const auto refusal = [&](LockUse use) {
      return error_message([&] { FileLock(run / "lock", use); });
    };
    if (!refusal(LockUse::kWrite).ends_with("Read-only file system")) return 3;
    const FileLock reader(run / "lock", LockUse::kRead), another(run / "lock", LockUse::kRead);
    return reader.can_write() || another.can_write() ? 4 : 0;
  });
  if (end.code == 2) WARN("SKIP: mounting is not permitted here");
  CHECK((end.code == 0 || end.code == 2));
}

TEST_CASE("who only reads holds a directory that may be written like any other", "[base][lock]") {
  const TemporaryDirectory run;
  const FileLock lock(run / "lock", LockUse::kRead);
  CHECK(lock.can_write());
  CHECK_THROWS_AS(FileLock(run / "lock"), Error);
}
