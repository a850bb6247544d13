#include "tests/tools/export_checker.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <stdexcept>

namespace dualpath::testing {
namespace {

constexpr int kReading = 0, kWriting = 1;

std::array<int, 2> pipe_closed_by_others() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  return ends;
}

std::string line_of(std::FILE* file) {
  std::string line;
  for (int c = std::fgetc(file); c != EOF && c != '\n'; c = std::fgetc(file))
    line.push_back(static_cast<char>(c));
  return line;
}

}  // namespace

ExportChecker& ExportChecker::the_one() {
  static ExportChecker checker;
  return checker;
}

ExportChecker::ExportChecker() {
  const std::array<int, 2> in = pipe_closed_by_others(), out = pipe_closed_by_others();
  pid_ = ::fork();
  if (pid_ == 0) {
    ::dup2(in[kReading], STDIN_FILENO);
    ::dup2(out[kWriting], STDOUT_FILENO);
    ::execl(DUALPATH_PYTHON, DUALPATH_PYTHON, "tests/reference/check_export.py", "--serve",
            static_cast<char*>(nullptr));
    ::_exit(127);
  }
  ::close(in[kReading]);
  ::close(out[kWriting]);
  requests_ = ::fdopen(in[kWriting], "w");
  answers_ = ::fdopen(out[kReading], "r");
}

ExportChecker::~ExportChecker() {
  std::fclose(requests_);  // the end of its input ends the process
  std::fclose(answers_);
  ::waitpid(pid_, nullptr, 0);
}

nlohmann::json ExportChecker::check(const std::string& directory, const std::string& logits) {
  std::fprintf(requests_, "%s\n", nlohmann::json{directory, "--logits", logits}.dump().c_str());
  std::fflush(requests_);
  const std::string answer = line_of(answers_);
  if (answer.empty()) return {{"failure", "check_export.py has ended"}};
  const nlohmann::json result = nlohmann::json::parse(answer);
  return result.contains("report") ? result["report"] : result;
}

}  // namespace dualpath::testing
