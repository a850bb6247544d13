#include "data/base/failpoint.h"

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>

#include "data/base/error.h"
#include "tests/support/child_process.h"
#include "tests/support/error_message.h"

using namespace dualpath;
using namespace dualpath::testing;

namespace {

/// How many failpoints a child passes before one stops it; it tries four.
ChildEnd passed(const char* order) {
  return in_child([&] {
    ::setenv("DUALPATH_FAILPOINT", order, 1);
    int count = 0;
    try {
      for (; count < 4; ++count) failpoint("here");
    } catch (const Error&) {
    }
    return count;
  });
}

}  // namespace

TEST_CASE("a failpoint stops the process at the hit it was told", "[base][failpoint]") {
  CHECK(passed("here=error").code == 0);
  CHECK(passed("here:3=error").code == 2);
  CHECK(passed("here:5=error").code == 4);
  CHECK(passed("there=error").code == 4);
  CHECK(passed("here=kill").signal == SIGKILL);
}

TEST_CASE("a malformed failpoint is an Error that says what is expected", "[base][failpoint]") {
  const std::string order =
      GENERATE("here", "here=explode", "here:0=kill", "here:x=kill", "=kill", "");
  const ChildEnd end = in_child([&] {
    ::setenv("DUALPATH_FAILPOINT", order.c_str(), 1);
    const std::string expected =
        "DUALPATH_FAILPOINT: expected name[:count]=kill|error, got \"" + order + "\"";
    return error_message([] { failpoint("here"); }) == expected ? 0 : 1;
  });
  INFO(order);
  CHECK(end.code == 0);
}
