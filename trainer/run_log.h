#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>

namespace dualpath::trainer {

/// log.jsonl: one object a line, each with "step". A resumed run goes on behind the checkpoint's step.
class RunLog {
 public:
  /// Drops lines of later steps, which the resumed run writes again.
  RunLog(const std::filesystem::path& path, std::int64_t resumed_step);
  void write(const nlohmann::json& line);

 private:
  std::filesystem::path path_;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
};

}  // namespace dualpath::trainer
