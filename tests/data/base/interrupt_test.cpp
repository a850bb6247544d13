#include "data/base/interrupt.h"

#include <catch2/catch.hpp>
#include <csignal>

#include "data/base/error.h"
#include "tests/support/child_process.h"

using namespace dualpath;
using namespace dualpath::testing;

TEST_CASE("The first SIGINT or SIGTERM asks to stop, with exit code 130", "[base][interrupt]") {
  const int signal = GENERATE(SIGINT, SIGTERM);
  const ChildEnd end = in_child([&]() -> int {
    install_interrupt_handlers();
    throw_if_interrupted();
    if (interrupted()) return 1;
    std::raise(signal);
    if (!interrupted()) return 2;
    try {
      throw_if_interrupted();
    } catch (const Interrupted& stop) {
      return stop.exit_code();
    }
    return 3;
  });
  CHECK(end.code == 130);
}

TEST_CASE("A second signal ends the process at once", "[base][interrupt]") {
  const ChildEnd end = in_child([] {
    install_interrupt_handlers();
    std::raise(SIGTERM);
    std::raise(SIGINT);
    return 0;
  });
  CHECK(end.signal == SIGINT);
}
