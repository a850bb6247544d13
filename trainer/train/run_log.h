#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

namespace dualpath::trainer {

/// Writes log.jsonl: one object a line, each with "step". A resumed run goes on behind the
/// checkpoint's step.
class RunLog {
 public:
  /// Opens the log and drops lines of later steps, which the resumed run writes again.
  RunLog(const std::filesystem::path& path, std::int64_t resumed_step);
  void write(const nlohmann::json& line);
  /// The newest line, of this run or an earlier one; an empty object if there is none.
  const nlohmann::json& last() const { return last_; }

 private:
  std::filesystem::path path_;
  nlohmann::json last_;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
};

/// Reads the lines of a log up to this step; empty if there is no log. A line that a kill cut short
/// is left out.
std::vector<nlohmann::json> read_log(const std::filesystem::path& path, std::int64_t last_step);

}  // namespace dualpath::trainer
