#include "data/base/file_lock.h"

#include <catch2/catch.hpp>
#include <csignal>
#include <optional>

#include "data/base/error.h"
#include "tests/support/child_process.h"
#include "tests/support/error_message.h"
#include "tests/support/temporary_directory.h"

using namespace dualpath;
using namespace dualpath::testing;

TEST_CASE("A held FileLock refuses another process and says which one holds it", "[base][lock]") {
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

TEST_CASE("A FileLock ends with its process, however that ends", "[base][lock]") {
  const TemporaryDirectory run;
  const ChildEnd end = in_child([&] {
    const FileLock lock(run / "lock");
    return std::raise(SIGKILL);
  });
  CHECK(end.signal == SIGKILL);
  CHECK_NOTHROW(FileLock(run / "lock"));
}
