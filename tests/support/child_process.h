#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <exception>

namespace dualpath::testing {

/// The end of a child process: by a signal (and then code is -1) or with an exit code (and then
/// signal is 0).
struct ChildEnd {
  int signal, code;
};

inline constexpr int kChildThrew = 99;

/// Forks. The child runs body and exits with the int it returns, or with kChildThrew after printing
/// the exception. Nothing else of the test runs in the child: no destructors, no reports.
template <class Body>
pid_t start_child(Body body) {
  std::fflush(nullptr);  // or the child would print it again
  const pid_t pid = ::fork();
  if (pid == 0) {
    int code = kChildThrew;
    try {
      code = body();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "child: %s\n", error.what());
    }
    ::_exit(code);
  }
  return pid;
}

inline ChildEnd wait_for_child(pid_t pid) {
  int status = 0;
  ::waitpid(pid, &status, 0);
  return {WIFSIGNALED(status) ? WTERMSIG(status) : 0, WIFEXITED(status) ? WEXITSTATUS(status) : -1};
}

template <class Body>
ChildEnd in_child(Body body) {
  return wait_for_child(start_child(body));
}

}  // namespace dualpath::testing
