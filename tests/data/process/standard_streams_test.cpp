#include "data/process/standard_streams.h"

#include <fcntl.h>

#include <array>
#include <catch2/catch.hpp>
#include <string>

#include "data/base/error.h"
#include "tests/support/child_process.h"
#include "tests/support/error_message.h"
#include "tests/support/temporary_directory.h"

using namespace dualpath;
using namespace dualpath::testing;

namespace {

/// Whether writing fails, and says so.
bool output_is_refused() {
  const std::string start = "standard output: cannot write the result: ";
  return error_message([] { write_output("result\n"); }).starts_with(start);
}

}  // namespace

TEST_CASE("a result that the disk has no room for is an error", "[base][streams]") {
  const ChildEnd end = in_child([] {
    ::dup2(::open("/dev/full", O_WRONLY), STDOUT_FILENO);
    return output_is_refused() ? 0 : 1;
  });
  CHECK(end.code == 0);
}

TEST_CASE("a result that nobody reads is an error, and no signal", "[base][streams]") {
  const ChildEnd end = in_child([] {
    prepare_standard_streams();
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0) return 2;
    ::dup2(ends[1], STDOUT_FILENO);
    ::close(ends[0]);
    return output_is_refused() ? 0 : 1;
  });
  CHECK(end.signal == 0);
  CHECK(end.code == 0);
}

TEST_CASE("a stream that is closed does not let a file take its place", "[base][streams]") {
  const TemporaryDirectory directory;
  const std::string file = (directory / "log").string();
  const ChildEnd end = in_child([&] {
    for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::close(descriptor);
    prepare_standard_streams();
    if (::open(file.c_str(), O_WRONLY | O_CREAT, 0600) <= STDERR_FILENO) return 1;
    write_notice("nobody reads this\n");
    return output_is_refused() ? 0 : 2;
  });
  CHECK(end.code == 0);
}

TEST_CASE("a notice that cannot be written stops nothing", "[base][streams]") {
  const ChildEnd end = in_child([] {
    ::dup2(::open("/dev/full", O_WRONLY), STDERR_FILENO);
    write_notice("no room\n");
    return 0;
  });
  CHECK(end.code == 0);
}
