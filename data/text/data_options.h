#pragma once

#include <array>
#include <cstdint>
#include <filesystem>

namespace dualpath::data {

/// The keys of a recipe's `data`.
struct DataOptions {
  std::filesystem::path train;  ///< text, JSONL or a directory of both; split by document
  /// Shares of the training text, by document: training and calibration, selection, test.
  std::array<double, 3> split{0.7, 0.1, 0.2};
  std::filesystem::path
      out_of_domain;          ///< text of another domain, only ever evaluated; may be empty
  std::int64_t window = 256;  ///< tokens
  /// Of conversations only the assistants' answers are targets; all other tokens are context.
  bool assistant_only_loss = true;

  bool operator==(const DataOptions&) const = default;
};

}  // namespace dualpath::data
