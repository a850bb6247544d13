#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tests/support/program.h"
#include "tests/support/temporary_directory.h"

namespace dualpath::testing {

using Arguments = std::vector<std::string>;

/// A folder with a recipe for a tiny random model, two texts and room for a run; the real program
/// is started in it. The recipe's paths are relative to it, so that whole runs compare equal:
///   recipe.yaml, model/ (a link), book.jsonl, other.jsonl; then run/ and export/
class TinyRun {
 public:
  /// model: one of those that this script of tests/reference makes.
  explicit TinyRun(const std::string& model = "outliers", const std::string& script = "tiny_llama");

  std::filesystem::path path() const { return folder_.path(); }
  std::filesystem::path operator/(const std::string& name) const { return folder_ / name; }

  /// Prepares `dualpath <command> recipe.yaml <more>`, with DUALPATH_FAILPOINT if one is given.
  Program program(const std::string& command, const Arguments& more = {},
                  const std::string& failpoint = "") const;
  ProgramEnd run(const std::string& command, const Arguments& more = {},
                 const std::string& failpoint = "") const {
    return run_program(program(command, more, failpoint));
  }
  /// Runs the command likewise; a failure is a failed test.
  ProgramEnd done(const std::string& command, const Arguments& more = {}) const;

  /// The content of every file of run/ and export/, by name. Left out are times, memory, and
  /// TensorBoard's event files (a stopped run has more of them). Left out are also files that only
  /// a running process has: its lock and temporaries.
  std::map<std::string, std::string> results() const;
  /// Copies another's run/ and export/ here.
  void copy_results(const TinyRun& other) const;

 private:
  TemporaryDirectory folder_;
};

/// The losses that a run has logged.
std::vector<double> losses_in(const TinyRun& run);

/// Returns as soon as the file is not empty; if it does not come within 30 s, the test fails.
void wait_for(const std::filesystem::path& file);

/// Runs `dualpath <arguments>` in the project's root.
ProgramEnd run_dualpath(const Arguments& arguments);

}  // namespace dualpath::testing
