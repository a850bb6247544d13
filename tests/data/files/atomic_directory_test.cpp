#include "data/files/atomic_directory.h"

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <fstream>

#include "data/base/error.h"
#include "data/files/atomic_file.h"
#include "data/files/file.h"
#include "tests/support/child_process.h"
#include "tests/support/error_message.h"
#include "tests/support/full_disk.h"
#include "tests/support/system_calls.h"
#include "tests/support/temporary_directory.h"

using namespace dualpath;
using namespace dualpath::testing;
namespace fs = std::filesystem;

namespace {

/// Two files, one of them a level deeper, both saying `content`.
void make(const fs::path& path, const std::string& content, Replace replace = Replace::kNo) {
  AtomicDirectory directory(path, replace);
  fs::create_directory(directory.path() / "deeper");
  std::ofstream(directory.path() / "a") << content;
  std::ofstream(directory.path() / "deeper/b") << content;
  directory.commit();
}

/// What both files say; "missing" or "torn" if they are not there or differ.
std::string content_of(const fs::path& path) {
  if (!fs::exists(path)) return "missing";
  const std::string a = read_file(path / "a");
  return a == read_file(path / "deeper/b") ? a : "torn";
}

bool any(std::string_view) { return true; }

}  // namespace

TEST_CASE("a committed AtomicDirectory is there with all its files and nothing beside it",
          "[base][atomic]") {
  const TemporaryDirectory run;
  make(run / "checkpoint", "new");
  CHECK(content_of(run / "checkpoint") == "new");
  CHECK(entries_in(run.path()) == 1);
}

TEST_CASE("an AtomicDirectory without commit leaves nothing", "[base][atomic]") {
  const TemporaryDirectory run;
  { write_file(AtomicDirectory(run / "checkpoint").path() / "a", "new"); }
  CHECK(entries_in(run.path()) == 0);
}

TEST_CASE("an AtomicDirectory refuses a path that exists, before the work and after it",
          "[base][atomic]") {
  const TemporaryDirectory run;
  const std::string path = (run / "checkpoint").string();
  const std::string refusal = path + ": expected a path that does not exist yet, but it does";
  AtomicDirectory late(path);
  fs::create_directory(path);
  write_file(path + "/a", "old");
  CHECK(error_message([&] { AtomicDirectory{path}; }) == refusal);
  CHECK(error_message([&] { late.commit(); }) == refusal);
  CHECK(read_file(path + "/a") == "old");
}

TEST_CASE("with Replace::kYes the new directory takes the old one's place", "[base][atomic]") {
  const TemporaryDirectory run;
  make(run / "export", "old");
  make(run / "export", "new", Replace::kYes);
  CHECK(content_of(run / "export") == "new");
  CHECK(entries_in(run.path()) == 1);
}

TEST_CASE("a link stays, and the directory that it names is replaced or made", "[base][atomic]") {
  const TemporaryDirectory run;
  const bool there = GENERATE(true, false);
  fs::create_directory(run / "disk");
  if (there) make(run / "disk/export", "old");
  fs::create_directory_symlink("disk/export", run / "link");
  make(run / "link", "new", Replace::kYes);
  CHECK(fs::is_symlink(run / "link"));
  CHECK(content_of(run / "disk/export") == "new");
  CHECK(entries_in(run / "disk") == 1);
}

TEST_CASE("of a mount point the content is replaced", "[base][atomic]") {
  const TemporaryDirectory run;
  const ChildEnd end = in_child([&] {
    fs::create_directory(run / "export");
    if (!mount_tiny_disk(run / "export", 1 << 20)) return 2;
    make(run / "export", "old", Replace::kYes);
    write_file(run / "export/only-in-the-old", "");
    { write_file(AtomicDirectory(run / "export", Replace::kYes).path() / "a", "given up"); }
    if (content_of(run / "export") != "old" || entries_in(run / "export") != 3) return 1;
    make(run / "export", "new", Replace::kYes);
    return content_of(run / "export") == "new" && entries_in(run / "export") == 2 ? 0 : 1;
  });
  if (end.code == 2) WARN("SKIP: mounting is not permitted here");
  CHECK((end.code == 0 || end.code == 2));
}

TEST_CASE("the working directory is filled, not exchanged", "[base][atomic]") {
  const TemporaryDirectory run;
  const ChildEnd end = in_child([&] {
    fs::current_path(run.path());
    make(".", "new", Replace::kYes);
    return content_of(".") == "new" && entries_in(".") == 2 ? 0 : 1;
  });
  CHECK(end.code == 0);
}

TEST_CASE("a process killed anywhere in commit leaves the old directory or the new one, whole",
          "[base][atomic]") {
  const std::string old = GENERATE("missing", "old");
  const auto [failpoint, expected] = GENERATE_REF(table<std::string, std::string>({
      {"atomic_directory.fsync=kill", old},
      {"atomic_directory.rename=kill", old},
      {"atomic_directory.done=kill", "new"},
  }));
  INFO(failpoint << ", before: " << old);
  const TemporaryDirectory run;
  if (old == "old") make(run / "export", "old");
  const ChildEnd end = in_child([&, failpoint = failpoint] {
    ::setenv("DUALPATH_FAILPOINT", failpoint.c_str(), 1);
    make(run / "export", "new", Replace::kYes);
    return 0;
  });
  CHECK(end.signal == SIGKILL);
  CHECK(content_of(run / "export") == expected);
  remove_stale_temporaries(run.path(), any);
  CHECK(entries_in(run.path()) == (expected == "missing" ? 0 : 1));
}

TEST_CASE("remove_stale_temporaries removes only temporaries of the names it is asked for",
          "[base][atomic]") {
  const TemporaryDirectory run;
  for (const char* name : {"a.tmp-1", "b.tmp-", "c.tmp-2x", "d.tmp", "log.jsonl", "mine.tmp-5"})
    write_file(run / name, "");
  fs::create_directories(run / "checkpoint-8.tmp-77/deeper");
  remove_stale_temporaries(run.path(), [](std::string_view name) { return name != "mine"; });
  CHECK_FALSE(fs::exists(run / "a.tmp-1"));
  CHECK_FALSE(fs::exists(run / "checkpoint-8.tmp-77"));
  CHECK(entries_in(run.path()) == 5);
  const std::string missing = (run / "missing").string();
  CHECK(error_message([&] { remove_stale_temporaries(missing, any); }) ==
        missing + ": cannot list: No such file or directory");
}

TEST_CASE("remove_stale_temporaries_of leaves the temporaries of others", "[base][atomic]") {
  const TemporaryDirectory run;
  for (const char* name : {"a.tmp-1", "a.tmp-22", "b.tmp-1", "a", "a.b.tmp-1"}) {
    fs::create_directory(run / name);
  }
  write_file(run / "a/content", "");
  const std::string slash = GENERATE("", "/");
  remove_stale_temporaries_of((run / "a").string() + slash);
  CHECK_FALSE(fs::exists(run / "a.tmp-1"));
  CHECK_FALSE(fs::exists(run / "a.tmp-22"));
  CHECK(fs::exists(run / "a/content"));
  CHECK(entries_in(run.path()) == 3);
}

TEST_CASE("traced: make one directory", "[.traced]") {
  make(std::getenv("DUALPATH_TRACED_DIRECTORY"), "content");
}

TEST_CASE("commit fsyncs every file and folder, then renames, then fsyncs the parent",
          "[base][atomic]") {
  const TemporaryDirectory run;
  const std::string path = (run / "checkpoint").string();
  ::setenv("DUALPATH_TRACED_DIRECTORY", path.c_str(), 1);
  const auto calls = file_system_calls("traced: make one directory", run / "trace");
  if (calls.empty()) {
    WARN("SKIP: strace cannot run here");
    return;
  }
  const std::size_t rename = find_call(calls, 0, "rename", path + "\"");
  REQUIRE(rename < calls.size());
  const std::string staging = calls[rename].substr(8, calls[rename].find('"', 8) - 8);
  for (const char* synced : {"/a>", "/deeper/b>", "/deeper>", ">"}) {
    CHECK(find_call(calls, 0, "fsync", staging + synced) < rename);
  }
  const std::size_t sync_parent =
      find_call(calls, rename, "fsync", "<" + run.path().string() + ">");
  CHECK(sync_parent < calls.size());
}
