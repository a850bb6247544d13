#include "data/base/interrupt.h"

#include <atomic>
#include <csignal>

#include "data/base/error.h"

namespace dualpath {
namespace {

std::atomic<bool> signalled = false;  // lock-free, so a handler may touch it

void on_signal(int signal) {
  if (signalled.exchange(true)) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);  // delivered when this handler returns
  }
}

}  // namespace

void install_interrupt_handlers() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;  // a write in flight goes on
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() { return signalled; }

void throw_if_interrupted() {
  if (interrupted()) throw Interrupted("interrupted");
}

}  // namespace dualpath
