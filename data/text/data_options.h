#pragma once

#include <array>
#include <cstdint>
#include <filesystem>

namespace dualpath::data {

/// The keys of a recipe's `data`.
struct DataOptions {
  /// Text, JSONL, a directory of both, or a blend. Split by document, unless there are own parts.
  std::filesystem::path train;
  /// Own parts for selection and for the test: both are given or neither.
  std::filesystem::path selection, test;
  /// Shares of the training text, by document: training and calibration, selection, test. Without
  /// effect beside own parts.
  std::array<double, 3> split{0.7, 0.1, 0.2};
  std::filesystem::path
      out_of_domain;          ///< text of another domain, only ever evaluated; may be empty
  std::int64_t window = 256;  ///< tokens
  /// Makes only the assistants' answers targets in conversations; all else there is context.
  bool assistant_only_loss = true;

  bool has_own_parts() const { return !selection.empty() && !test.empty(); }
  bool operator==(const DataOptions&) const = default;
};

}  // namespace dualpath::data
