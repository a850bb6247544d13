#pragma once

#include <sys/types.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

namespace dualpath::testing {

/// Runs tests/reference/check_export.py as one process that answers for every export: importing
/// transformers takes longer than a check.
class ExportChecker {
 public:
  /// The process of this test program. Started at the first call, it ends with the program.
  static ExportChecker& the_one();

  /// Returns the script's report on an export, or {"failure": message} if it finds a fault.
  nlohmann::json check(const std::string& directory, const std::string& logits);

  ExportChecker(const ExportChecker&) = delete;
  ExportChecker& operator=(const ExportChecker&) = delete;

 private:
  ExportChecker();
  ~ExportChecker();

  pid_t pid_;
  std::FILE *requests_, *answers_;
};

}  // namespace dualpath::testing
