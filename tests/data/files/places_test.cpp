#include "data/files/places.h"

#include <catch2/catch.hpp>

#include "tests/support/child_process.h"
#include "tests/support/error_message.h"
#include "tests/support/full_disk.h"
#include "tests/support/plain_file.h"
#include "tests/support/temporary_directory.h"

using namespace dualpath;
using namespace dualpath::testing;
namespace fs = std::filesystem;

TEST_CASE("a link leads to what it names at last, be that there or not", "[base][places]") {
  const TemporaryDirectory folder;
  fs::create_directory_symlink("second", folder / "first");
  fs::create_directory_symlink("elsewhere", folder / "second");
  CHECK(followed(folder / "first") == folder / "elsewhere");
  CHECK(followed(folder / "first/") == folder / "elsewhere");
  CHECK(followed(folder / "plain") == folder / "plain");
}

TEST_CASE("a circle of links is an Error", "[base][places]") {
  const TemporaryDirectory folder;
  fs::create_symlink("b", folder / "a");
  fs::create_symlink("a", folder / "b");
  CHECK(error_message([&] { followed(folder / "a"); }) ==
        (folder / "a").string() + ": too many links, one behind another");
}

TEST_CASE("a place lies in another however the two are spelled", "[base][places]") {
  const TemporaryDirectory folder;
  fs::create_directories(folder / "model/deeper");
  fs::create_directory_symlink("model/deeper", folder / "link");
  write_plain(folder / "model/file", "");
  CHECK(is_or_lies_in(folder / "model", folder / "model/"));
  CHECK(is_or_lies_in(folder / "model/new/run", folder / "model"));
  CHECK(is_or_lies_in(folder / "model/deeper/../file", folder / "model/file"));
  CHECK(is_or_lies_in(folder / "link", folder / "model"));
  CHECK(is_or_lies_in(folder / "link/run", folder / "model/deeper"));
  CHECK_FALSE(is_or_lies_in(folder / "model", folder / "model/deeper"));
  CHECK_FALSE(is_or_lies_in(folder / "model-2", folder / "model"));
  CHECK_FALSE(is_or_lies_in(folder / "new", folder / "model"));
}

TEST_CASE("a relative path lies where the working directory does", "[base][places]") {
  CHECK(is_or_lies_in("some/run", "."));
  CHECK(is_or_lies_in(".", fs::current_path()));
  CHECK(is_or_lies_in(".", "/"));
  CHECK_FALSE(is_or_lies_in(".", "some"));
}

TEST_CASE("a mount point is told from a plain directory", "[base][places]") {
  const TemporaryDirectory folder;
  CHECK_FALSE(is_mount_point(folder.path()));
  CHECK_FALSE(is_mount_point(folder / "missing"));
  const ChildEnd end = in_child([&] {
    if (!mount_tiny_disk(folder.path(), 1 << 16)) return 2;
    return is_mount_point(folder.path()) ? 0 : 1;
  });
  if (end.code == 2) WARN("SKIP: mounting is not permitted here");
  CHECK((end.code == 0 || end.code == 2));
}
