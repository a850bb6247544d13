#pragma once

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "data/files/file.h"
#include "tests/support/temporary_directory.h"

namespace dualpath::testing {

/// A program to run: arguments[0] is its file. environment is added to ours.
struct Program {
  std::vector<std::string> arguments;
  std::filesystem::path working_directory = ".";
  std::map<std::string, std::string> environment = {};
};

/// The end of a program, by a signal (and then code is -1) or with an exit code (and then signal is
/// 0), and its output.
struct ProgramEnd {
  int signal, code;
  std::string out, err;
};

/// A program that runs beside the test until wait(); killed if that is never called.
class RunningProgram {
 public:
  explicit RunningProgram(const Program& program) : pid_(::fork()) {
    if (pid_ == 0) become(program);
  }
  ~RunningProgram() {
    if (pid_ == 0) return;
    send(SIGKILL);
    wait();
  }
  RunningProgram(const RunningProgram&) = delete;
  RunningProgram& operator=(const RunningProgram&) = delete;

  pid_t pid() const { return pid_; }
  void send(int signal) const { ::kill(pid_, signal); }
  ProgramEnd wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = 0;
    return {WIFSIGNALED(status) ? WTERMSIG(status) : 0,
            WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_file(output_ / "out"),
            read_file(output_ / "err")};
  }

 private:
  /// Becomes the program; called in the child.
  [[noreturn]] void become(const Program& program) const {
    const auto redirect = [&](const char* name, int descriptor) {
      ::dup2(::open((output_ / name).c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), descriptor);
    };
    redirect("out", STDOUT_FILENO);
    redirect("err", STDERR_FILENO);
    for (const auto& [name, value] : program.environment) ::setenv(name.c_str(), value.c_str(), 1);
    std::vector<char*> arguments;
    for (const std::string& argument : program.arguments) {
      arguments.push_back(const_cast<char*>(argument.c_str()));  // execv does not change them
    }
    arguments.push_back(nullptr);
    if (::chdir(program.working_directory.c_str()) == 0) ::execv(arguments[0], arguments.data());
    std::perror(arguments[0]);
    ::_exit(127);
  }

  TemporaryDirectory output_;
  pid_t pid_;
};

inline ProgramEnd run_program(const Program& program) { return RunningProgram(program).wait(); }

}  // namespace dualpath::testing
