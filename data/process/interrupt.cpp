#include "data/process/interrupt.h"

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

/// Asks to stop, however often it comes. A closing terminal may send SIGHUP twice: the shell to its
/// jobs, and the kernel when the shell has gone. Nobody is in a hurry then.
void on_hangup(int) { signalled = true; }

void handle(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;  // a write in flight goes on
  sigemptyset(&action.sa_mask);
  sigaction(signal, &action, nullptr);
}

bool is_ignored(int signal) {
  struct sigaction action {};
  return sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

void install_interrupt_handlers() {
  handle(SIGINT, on_signal);
  handle(SIGTERM, on_signal);
  if (!is_ignored(SIGHUP)) handle(SIGHUP, on_hangup);  // nohup ignores it
}

bool interrupted() { return signalled; }

void throw_if_interrupted() {
  if (interrupted()) throw Interrupted("interrupted");
}

}  // namespace dualpath
