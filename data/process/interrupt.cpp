#include "data/process/interrupt.h"

#include <atomic>
#include <csignal>
#include <cstdint>
#include <ctime>

#include "data/base/error.h"

namespace dualpath {
namespace {

std::atomic<int> first_signal = 0;         // lock-free, so a handler may touch it
std::atomic<std::int64_t> first_time = 0;  // in milliseconds

std::int64_t milliseconds_now() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

/// A scheduler signals a job's every process, and its launcher passes the signal on. The same
/// signal within this time is one.
constexpr std::int64_t kOneSignal = 500;

void on_signal(int signal) {
  const std::int64_t now = milliseconds_now();
  if (first_signal == 0) first_time = now;
  int first = 0;
  if (first_signal.compare_exchange_strong(first, signal)) return;
  if (signal != first || now - first_time > kOneSignal) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);  // delivered when this handler returns
  }
}

/// Asks to stop, however often it comes. A closing terminal may send SIGHUP twice: the shell to its
/// jobs, and the kernel when the shell has gone. Nobody is in a hurry then.
void on_hangup(int signal) {
  int none = 0;
  first_signal.compare_exchange_strong(none, signal);
}

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

bool interrupted() { return first_signal != 0; }

int interrupting_signal() { return first_signal; }

void throw_if_interrupted() {
  if (interrupted()) throw Interrupted("interrupted");
}

}  // namespace dualpath
