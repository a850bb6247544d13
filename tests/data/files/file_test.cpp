#include "data/files/file.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <utility>

#include "data/base/error.h"
#include "data/files/atomic_file.h"
#include "tests/support/error_message.h"
#include "tests/support/temporary_directory.h"

using namespace dualpath;
using namespace dualpath::testing;

namespace {

std::string text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

}  // namespace

TEST_CASE("read_file and MappedFile give a file's bytes", "[base][file]") {
  const TemporaryDirectory directory;
  const std::string content =
      GENERATE(std::string(), std::string("a\0b\n", 4), std::string(200'000, 'x'));
  write_file(directory / "file", content);
  CHECK(read_file(directory / "file") == content);
  CHECK(text_of(MappedFile(directory / "file")) == content);
}

TEST_CASE("a MappedFile keeps its bytes when it moves and when the file is replaced",
          "[base][file]") {
  const TemporaryDirectory directory;
  write_file(directory / "file", "old");
  MappedFile first(directory / "file");
  write_file(directory / "file", "new and longer");
  const MappedFile second = std::move(first);
  CHECK(text_of(second) == "old");
  CHECK(second.path() == directory / "file");
}

TEST_CASE("a file that cannot be read is an Error naming it", "[base][file]") {
  const TemporaryDirectory directory;
  const std::string missing = (directory / "missing").string();
  CHECK(error_message([&] { read_file(missing); }) ==
        missing + ": cannot open: No such file or directory");
  CHECK(error_message([&] { MappedFile{missing}; }) ==
        missing + ": cannot open: No such file or directory");
  const std::string folder = directory.path().string();
  CHECK(error_message([&] { read_file(folder); }) == folder + ": expected a file, got a directory");
  CHECK(error_message([&] { MappedFile{folder}; }) ==
        folder + ": expected a file, got a directory");
}

TEST_CASE("a device or a pipe is refused at once, even where nobody writes to it", "[base][file]") {
  const TemporaryDirectory directory;
  const std::string pipe = (directory / "pipe").string();
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  for (const std::string& path : {pipe, std::string("/dev/zero")}) {
    const std::string refused = path + ": expected a file, got a device or pipe";
    CHECK(error_message([&] { read_file(path); }) == refused);
    CHECK(error_message([&] { MappedFile{path}; }) == refused);
  }
}

TEST_CASE("a file of more bytes than the caller knows to be enough is refused", "[base][file]") {
  const TemporaryDirectory directory;
  write_file(directory / "file", "12345");
  CHECK(read_file(directory / "file", 5) == "12345");
  CHECK(error_message([&] { read_file(directory / "file", 4); }) ==
        (directory / "file").string() + ": expected at most 4 bytes, got 5");
  // Files of /proc say that they are empty.
  CHECK_THAT(error_message([] { read_file("/proc/self/status", 10); }),
             Catch::StartsWith("/proc/self/status: expected at most 10 bytes, got "));
}
