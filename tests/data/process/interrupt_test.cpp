#include "data/process/interrupt.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>
#include <thread>

#include "data/base/error.h"
#include "tests/support/child_process.h"

using namespace dualpath;
using namespace dualpath::testing;

TEST_CASE("the first SIGINT, SIGTERM or SIGHUP asks to stop, with exit code 130",
          "[base][interrupt]") {
  const int signal = GENERATE(SIGINT, SIGTERM, SIGHUP);
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

TEST_CASE("a second signal ends the process at once", "[base][interrupt]") {
  const ChildEnd end = in_child([] {
    install_interrupt_handlers();
    std::raise(SIGTERM);
    std::raise(SIGINT);
    return 0;
  });
  CHECK(end.signal == SIGINT);
}

TEST_CASE("a signal that comes twice at once asks once, and ends the process when it comes later",
          "[base][interrupt]") {
  const auto pause = GENERATE(std::chrono::milliseconds(0), std::chrono::milliseconds(700));
  const ChildEnd end = in_child([&] {
    install_interrupt_handlers();
    std::raise(SIGTERM);
    std::this_thread::sleep_for(pause);
    std::raise(SIGTERM);
    return interrupted() ? 7 : 1;
  });
  CHECK(end.code == (pause.count() == 0 ? 7 : -1));
}

TEST_CASE("SIGHUP may come twice when a terminal closes, and asks once", "[base][interrupt]") {
  const ChildEnd twice = in_child([] {
    install_interrupt_handlers();
    std::raise(SIGHUP);
    std::raise(SIGHUP);
    return interrupted() ? 7 : 1;
  });
  CHECK(twice.code == 7);
  const ChildEnd hurried = in_child([] {
    install_interrupt_handlers();
    std::raise(SIGHUP);
    std::raise(SIGTERM);
    return 0;
  });
  CHECK(hurried.signal == SIGTERM);
}

TEST_CASE("SIGHUP stays ignored under nohup", "[base][interrupt]") {
  const ChildEnd end = in_child([] {
    std::signal(SIGHUP, SIG_IGN);
    install_interrupt_handlers();
    std::raise(SIGHUP);
    return interrupted() ? 1 : 0;
  });
  CHECK(end.code == 0);
}
