#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace dualpath {

enum ExitCode : int { kDone = 0, kFailure = 1, kUsage = 2, kInterrupted = 130 };

/// A mistake the user can mend: one line that says where, what was expected and what came.
/// Thrown anywhere, caught once in main, which prints it and ends with exit_code().
class Error : public std::runtime_error {
 public:
  template <class... Arguments>
  explicit Error(fmt::format_string<Arguments...> format, Arguments&&... arguments)
      : std::runtime_error(fmt::format(format, std::forward<Arguments>(arguments)...)) {}

  virtual ExitCode exit_code() const { return kFailure; }
};

/// A mistake in a recipe or on the command line.
class UsageError : public Error {
 public:
  using Error::Error;
  ExitCode exit_code() const override { return kUsage; }
};

/// The user asked to stop. Whoever throws this has left the state on disk resumable.
class Interrupted : public Error {
 public:
  using Error::Error;
  ExitCode exit_code() const override { return kInterrupted; }
};

/// Makes text from a file fit for an error message: escapes control characters and broken UTF-8,
/// and keeps at most 200 bytes.
std::string printable(std::string_view text);

}  // namespace dualpath
