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
  std::int64_t bytes = 0, tokens = 0;
  /// Figures and their 95 % intervals, by the metrics' names. Those against fp are missing if there
  /// is no float model.
  Figures figures = {};
  std::map<std::string, Interval> intervals = {};
  /// The recovery of a row that recovers, beside fp and quantized.
  std::optional<Recovery> recovery = {};
};

/// A sample that rows answer differently.
struct ChangedSample {
  std::string reference;
  std::map<std::string, std::string> answers = {};   ///< by row
  std::vector<std::string> images = {}, audio = {};  ///< names of its files
};

/// All rows on one set, or on its samples of one modality, in the order in which they are shown.
struct SetFigures {
  std::string name;  ///< "in_domain", "out_of_domain" or one of evaluate.sets
  /// "text", "image", "audio" or "image and audio"; empty for a model without towers.
  std::string modality = {};
  std::vector<RowFigures> rows = {};
  std::vector<ChangedSample> changed = {};  ///< a few of them

  std::string title() const { return modality.empty() ? name : name + " " + modality; }
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
/// fp. Intervals are of bootstrap_samples resamples.
std::vector<RowFigures> figures_of(const std::vector<Row>& rows, const std::vector<RowSums>& sums,
                                   std::int64_t bootstrap_samples, std::uint64_t seed);

}  // namespace dualpath::trainer
