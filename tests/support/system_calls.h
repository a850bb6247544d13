#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace dualpath::testing {

/// The system calls that change files, in their order, made by `program` (a shell's command) under
/// strace: "fsync(3</tmp/x>) = 0". Empty if strace cannot run.
inline std::vector<std::string> traced_calls(const std::string& program,
                                             const std::filesystem::path& trace) {
  const std::string command =
      // The leak checker cannot work in a traced process.
      "ASAN_OPTIONS=detect_leaks=0 strace -f -y -qq -s 0 -o " + trace.string() +
      " -e trace=write,pwrite64,fsync,rename,renameat,renameat2 " + program + " >/dev/null 2>&1";
  if (std::system(command.c_str()) != 0) return {};
  std::vector<std::string> calls;
  std::ifstream lines(trace);
  for (std::string line; std::getline(lines, line);) {
    calls.push_back(line.substr(line.find_first_not_of(" 0123456789")));  // without the pid
  }
  return calls;
}

/// The system calls of the test case `hidden_test` of this very program when it runs alone.
inline std::vector<std::string> file_system_calls(const std::string& hidden_test,
                                                  const std::filesystem::path& trace) {
  const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  return traced_calls(self + " '" + hidden_test + "'", trace);
}

/// The place in `calls` of the first call at or after `from` that begins with `name` and contains
/// `argument`; calls.size() if there is none.
inline std::size_t find_call(const std::vector<std::string>& calls, std::size_t from,
                             const std::string& name, const std::string& argument) {
  while (from < calls.size() && !(calls[from].starts_with(name + "(") &&
                                  calls[from].find(argument) != std::string::npos)) {
    ++from;
  }
  return from;
}

}  // namespace dualpath::testing
