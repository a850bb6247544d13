#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "data/files/file.h"

namespace dualpath::testing {

/// Removes values that differ from run to run although the result is the same: times and memory.
inline void remove_measurements(nlohmann::json& value) {
  if (!value.is_structured()) return;
  if (value.is_object()) {
    for (const char* key : {"seconds", "resumed_from", "tokens_per_second", "resident_bytes",
                            "peak_resident_bytes", "process_seconds", "communication_seconds"})
      value.erase(key);
  }
  for (nlohmann::json& part : value) remove_measurements(part);
}

/// Reads lines of JSON, each without its measurements.
inline std::string without_measurements(const std::string& lines) {
  std::istringstream text(lines);
  std::string kept;
  for (std::string line; std::getline(text, line);) {
    nlohmann::json value = nlohmann::json::parse(line);
    remove_measurements(value);
    kept += value.dump() + "\n";
  }
  return kept;
}

/// Reads a file of a run, a log or report without its measurements.
inline std::string comparable(const std::filesystem::path& file) {
  const std::string content = read_file(file);
  if (file.filename() == "log.jsonl") return without_measurements(content);
  if (file.filename() == "report.json")
    return without_measurements(nlohmann::json::parse(content).dump());
  return content;
}

}  // namespace dualpath::testing
