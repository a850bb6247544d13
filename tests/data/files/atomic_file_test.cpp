#include "data/files/atomic_file.h"

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>

#include "data/base/error.h"
#include "data/files/atomic_directory.h"
#include "data/files/file.h"
#include "tests/support/bytes.h"
#include "tests/support/child_process.h"
#include "tests/support/error_message.h"
#include "tests/support/full_disk.h"
#include "tests/support/system_calls.h"
#include "tests/support/temporary_directory.h"

using namespace dualpath;
using namespace dualpath::testing;

namespace {

constexpr std::size_t kDiskBytes = 64 * 1024;

/// Run in a child whose disk holds kDiskBytes: 0 if a file twice as large is refused as it should
/// be.
int write_too_much(const std::filesystem::path& directory) {
  write_file(directory / "file", "old");
  const std::string message =
      error_message([&] { write_file(directory / "file", std::string(2 * kDiskBytes, 'x')); });
  if (message.find((directory / "file").string()) != 0 ||
      message.find("cannot write") == std::string::npos)
    return 1;
  if (message.find('\n') != std::string::npos) return 2;
  return read_file(directory / "file") == "old" && entries_in(directory) == 1 ? 0 : 3;
}

}  // namespace

TEST_CASE(
    "A committed AtomicFile holds what was written, patches included, and leaves nothing beside it",
    "[base][atomic]") {
  const TemporaryDirectory directory;
  AtomicFile file(directory / "file");
  file.write(bytes_of("length: ?, "));
  file.write(bytes_of("content"));
  file.write_at(8, bytes_of("7"));
  CHECK_FALSE(std::filesystem::exists(directory / "file"));
  file.commit();
  CHECK(read_file(directory / "file") == "length: 7, content");
  CHECK(entries_in(directory.path()) == 1);
}

TEST_CASE("an AtomicFile without commit leaves the old file and nothing beside it",
          "[base][atomic]") {
  const TemporaryDirectory directory;
  write_file(directory / "file", "old");
  { AtomicFile(directory / "file").write(bytes_of("new")); }
  CHECK(read_file(directory / "file") == "old");
  CHECK(entries_in(directory.path()) == 1);
}

TEST_CASE("an AtomicFile in a directory that is not there is an Error naming the file",
          "[base][atomic]") {
  const TemporaryDirectory directory;
  const std::string path = (directory / "missing/file").string();
  const std::string message = error_message([&] { write_file(path, "x"); });
  CHECK_THAT(message, Catch::StartsWith(path));
  CHECK_THAT(message, Catch::EndsWith("cannot create: No such file or directory"));
}

TEST_CASE("a process killed anywhere in write_file leaves the old file or the new one, whole",
          "[base][atomic]") {
  const auto [failpoint, expected] = GENERATE(table<std::string, std::string>({
      {"atomic_file.write=kill", "old"},
      {"atomic_file.fsync=kill", "old"},
      {"atomic_file.rename=kill", "old"},
      {"atomic_file.done=kill", "new"},
  }));
  const TemporaryDirectory directory;
  write_file(directory / "file", "old");
  const ChildEnd end = in_child([&, failpoint = failpoint] {
    ::setenv("DUALPATH_FAILPOINT", failpoint.c_str(), 1);
    write_file(directory / "file", "new");
    return 0;
  });
  INFO(failpoint);
  CHECK(end.signal == SIGKILL);
  CHECK(read_file(directory / "file") == expected);
  remove_stale_temporaries(directory.path(), [](std::string_view) { return true; });
  CHECK(entries_in(directory.path()) == 1);
}

TEST_CASE("write_file fails cleanly when fsync or rename fails", "[base][atomic]") {
  const std::string failpoint = GENERATE("atomic_file.fsync=error", "atomic_file.rename=error");
  const TemporaryDirectory directory;
  write_file(directory / "file", "old");
  const ChildEnd end = in_child([&] {
    ::setenv("DUALPATH_FAILPOINT", failpoint.c_str(), 1);
    error_message([&] { write_file(directory / "file", "new"); });
    return 0;
  });
  CHECK(end.code == 0);
  CHECK(read_file(directory / "file") == "old");
  CHECK(entries_in(directory.path()) == 1);
}

TEST_CASE("a full disk is one line naming the file, and the old file stays", "[base][atomic]") {
  const TemporaryDirectory directory;
  SECTION("a tiny file system") {
    constexpr int kNotPermitted = 77;
    const ChildEnd end = in_child([&] {
      return mount_tiny_disk(directory.path(), kDiskBytes) ? write_too_much(directory.path())
                                                           : kNotPermitted;
    });
    if (end.code == kNotPermitted) WARN("SKIP: a tiny file system cannot be mounted here");
    CHECK((end.code == 0 || end.code == kNotPermitted));
  }
  SECTION("a limit on the size of files") {
    const ChildEnd end = in_child([&] {
      limit_file_size(kDiskBytes);
      return write_too_much(directory.path());
    });
    CHECK(end.code == 0);
  }
}

TEST_CASE("traced: write one file", "[.traced]") {
  write_file(std::getenv("DUALPATH_TRACED_FILE"), "content");
}

TEST_CASE("write_file writes, then fsyncs, then renames, then fsyncs the directory",
          "[base][atomic]") {
  const TemporaryDirectory directory;
  const std::string path = (directory / "file").string();
  ::setenv("DUALPATH_TRACED_FILE", path.c_str(), 1);
  const auto calls = file_system_calls("traced: write one file", directory / "trace");
  if (calls.empty()) {
    WARN("SKIP: strace cannot run here");
    return;
  }
  const std::size_t write = find_call(calls, 0, "pwrite64", path + ".tmp-");
  const std::size_t sync = find_call(calls, write, "fsync", path + ".tmp-");
  const std::size_t rename = find_call(calls, sync, "rename", path + "\"");
  const std::size_t sync_directory =
      find_call(calls, rename, "fsync", "<" + directory.path().string() + ">");
  CHECK(sync_directory < calls.size());
}

TEST_CASE("a link to a file stays, and the file is replaced", "[base][atomic]") {
  const TemporaryDirectory folder;
  write_file(folder / "target", "old");
  std::filesystem::create_symlink("target", folder / "link");
  write_file(folder / "link", "new");
  CHECK(std::filesystem::is_symlink(folder / "link"));
  CHECK(read_file(folder / "target") == "new");
}
