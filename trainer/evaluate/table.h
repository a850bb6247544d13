#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "trainer/evaluate/metrics.h"

namespace dualpath::trainer {

struct Row;

/// The figures of one row on one set.
struct RowFigures {
  std::string name;
  double perplexity = 0.0;
  double accuracy = 0.0;  ///< share of next tokens predicted right, 0 to 1
  /// Measures against fp, see Metrics. Nothing if there is no float model.
  std::optional<double> kl = {}, agreement = {};
  std::int64_t bytes = 0, tokens = 0;
  /// The recovery of a row that recovers, beside fp and quantized.
  std::optional<Recovery> recovery = {};
};

/// All rows on one set, in the order in which they are shown.
struct SetFigures {
  std::string name;  ///< "in_domain" or "out_of_domain"
  std::vector<RowFigures> rows;
};

/// A window's first token is not scored.
inline constexpr const char* kFirstToken = "context only";

/// The result of an evaluation.
struct EvaluationTable {
  std::vector<SetFigures> sets = {};
  std::int64_t window = 0;  ///< tokens; windows do not overlap, so it is the stride, too
  std::string dtype;        ///< the dtype in which all rows were computed
  double seconds = 0.0;
  std::map<std::string, std::int64_t> steps = {};  ///< steps of training, by trained row
  std::optional<std::string> fingerprint = {};     ///< the run's; nothing for an export
};

/// Makes the figures of rows from their sums, which are in the same order. Recoveries need a row
/// fp. Their intervals are of bootstrap_samples resamples.
std::vector<RowFigures> figures_of(const std::vector<Row>& rows, const std::vector<RowSums>& sums,
                                   std::int64_t bootstrap_samples, std::uint64_t seed);

}  // namespace dualpath::trainer
