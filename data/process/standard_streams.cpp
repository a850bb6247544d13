#include "data/process/standard_streams.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "data/base/error.h"
#include "data/files/file_descriptor.h"

namespace dualpath {
namespace {

/// open() takes the lowest descriptor that is free, which is this one.
void open_if_closed(int descriptor, int flags) {
  if (::fcntl(descriptor, F_GETFD) == -1) static_cast<void>(::open("/dev/null", flags));
}

}  // namespace

void prepare_standard_streams() {
  open_if_closed(STDIN_FILENO, O_RDONLY);
  open_if_closed(STDOUT_FILENO, O_RDONLY);  // a result that nobody gets is an error
  open_if_closed(STDERR_FILENO, O_WRONLY);
  std::signal(SIGPIPE, SIG_IGN);
}

void redirect_standard_streams(const std::filesystem::path& file) {
  const FileDescriptor target(file, O_WRONLY | O_CREAT | O_APPEND);
  std::fflush(stdout);
  for (const int stream : {STDOUT_FILENO, STDERR_FILENO}) ::dup2(target.get(), stream);
}

void write_output(std::string_view text) {
  const bool is_written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (is_written && std::fflush(stdout) == 0) return;
  throw Error("standard output: cannot write the result: {}", std::strerror(errno));
}

void write_notice(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

}  // namespace dualpath
