#include "trainer/processes/launch.h"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "data/base/error.h"
#include "data/files/file.h"
#include "data/process/interrupt.h"
#include "data/process/standard_streams.h"
#include "trainer/processes/rendezvous.h"
#include "trainer/processes/store_keys.h"

extern char** environ;

namespace dualpath::trainer {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

/// The texts of an argument or environment list, as execve takes it.
class TextList {
 public:
  explicit TextList(std::vector<std::string> texts) : texts_(std::move(texts)) {
    for (std::string& text : texts_) pointers_.push_back(text.data());
    pointers_.push_back(nullptr);
  }
  char** data() { return pointers_.data(); }

 private:
  std::vector<std::string> texts_;
  std::vector<char*> pointers_;
};

std::vector<std::string> own_arguments() {
  std::vector<std::string> arguments;
  const std::string line = read_file("/proc/self/cmdline");
  for (std::size_t begin = 0; begin < line.size(); begin = line.find('\0', begin) + 1)
    arguments.emplace_back(line.c_str() + begin);
  return arguments;
}

constexpr const char* kRestart = "0";  // this launcher restarts nothing
std::string run_id() { return std::to_string(::getpid()); }

std::vector<std::string> environment_of(int rank, int count, int port) {
  std::vector<std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) variables.emplace_back(*entry);
  const auto set = [&](const std::string& name, const auto& value) {
    std::erase_if(variables, [&](const std::string& v) { return v.starts_with(name + "="); });
    variables.push_back(fmt::format("{}={}", name, value));
  };
  set("RANK", rank);
  set("WORLD_SIZE", count);
  set("LOCAL_RANK", rank);
  set("LOCAL_WORLD_SIZE", count);
  set("MASTER_ADDR", "127.0.0.1");
  set("MASTER_PORT", port);
  set("TORCHELASTIC_USE_AGENT_STORE", "True");  // this process runs the store
  set("TORCHELASTIC_RUN_ID", run_id());
  set("TORCHELASTIC_RESTART_COUNT", kRestart);
  return variables;
}

/// Returns the exit code; nothing if a signal ended the process.
std::optional<int> code_of(int status) {
  return WIFEXITED(status) ? std::optional(WEXITSTATUS(status)) : std::nullopt;
}

std::string end_of(int status) {
  if (const auto code = code_of(status)) return fmt::format("it ended with exit code {}", *code);
  const int signal = WTERMSIG(status);
  const char* why = signal == SIGKILL ? "; the system does so if memory runs out" : "";
  return fmt::format("killed by signal {} ({}{})", signal, ::strsignal(signal), why);
}

class Launcher {
 public:
  explicit Launcher(int count)
      : children_(static_cast<std::size_t>(count)),
        server_(c10::make_intrusive<c10d::TCPStore>("127.0.0.1", server_options())) {
    try {
      for (int rank = 0; rank < count; ++rank) start(rank);
    } catch (const Error&) {
      signal_all(SIGKILL);  // nothing has begun
      throw;
    }
  }

  int run() {
    while (std::ranges::any_of(children_, [](const Child& child) { return !child.status; })) {
      collect();
      if (interrupted() && !std::exchange(passed_on_, true)) signal_all(interrupting_signal());
      end_those_that_hang();
      std::this_thread::sleep_for(milliseconds(20));
    }
    return exit_code();
  }

 private:
  struct Child {
    pid_t pid = 0;
    std::optional<int> status = {};
  };

  static c10d::TCPStoreOptions server_options() {
    c10d::TCPStoreOptions options;
    options.port = 0;  // the kernel chooses
    options.isServer = true;
    options.waitWorkers = false;
    return options;
  }

  void start(int rank) {
    static TextList arguments(own_arguments());
    TextList environment(
        environment_of(rank, static_cast<int>(children_.size()), server_->getPort()));
    const pid_t parent = ::getpid(), pid = ::fork();
    if (pid < 0) throw Error("cannot start process {}: {}", rank, std::strerror(errno));
    if (pid == 0) {
      // Nothing but system calls here, since the store has a thread.
      ::prctl(PR_SET_PDEATHSIG, SIGTERM);
      if (::getppid() == parent) ::execve("/proc/self/exe", arguments.data(), environment.data());
      ::_exit(kFailure);
    }
    children_[static_cast<std::size_t>(rank)].pid = pid;
  }

  void collect() {
    int status = 0;
    for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
      const auto child = std::ranges::find(children_, pid, &Child::pid);
      if (child == children_.end()) continue;
      child->status = status;
      if (status == 0) continue;
      tell(static_cast<int>(child - children_.begin()), end_of(status));
      if (!first_failure_) first_failure_ = steady_clock::now();
    }
  }

  /// Leaves a reason for a process that ended without one.
  void tell(int rank, const std::string& reason) {
    c10d::PrefixStore store(store_prefix(run_id(), kRestart), server_);
    const std::string key = left_key(rank);
    if (!store.check({key})) store.set(key, kOwn + reason);
  }

  void end_those_that_hang() {
    constexpr seconds kPatience{60}, kGrace{30};
    if (!first_failure_) return;
    const auto waited = steady_clock::now() - *first_failure_;
    if (waited > kPatience + kGrace) signal_all(SIGKILL);
    if (waited > kPatience && !std::exchange(ended_, true)) signal_all(SIGTERM);
  }

  void signal_all(int signal) {
    for (const Child& child : children_) {
      if (child.pid != 0 && !child.status) ::kill(child.pid, signal);
    }
  }

  int exit_code() const {
    const int first = *children_.front().status;
    const auto failed =
        std::ranges::find_if(children_, [](const Child& child) { return *child.status != 0; });
    if (failed == children_.end()) return kDone;
    if (first == 0 || !code_of(first)) {  // else the first process has said it
      write_notice(fmt::format("dualpath: process {} of {}: {}\n", failed - children_.begin(),
                               children_.size(), end_of(*failed->status)));
    }
    return code_of(*failed->status).value_or(kFailure);
  }

  std::vector<Child> children_;
  c10::intrusive_ptr<c10d::TCPStore> server_;
  std::optional<steady_clock::time_point> first_failure_;
  bool passed_on_ = false, ended_ = false;
};

}  // namespace

int launch(int count) { return Launcher(count).run(); }

}  // namespace dualpath::trainer
