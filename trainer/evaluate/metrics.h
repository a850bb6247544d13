#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace dualpath::trainer {

/// The quantities that are summed over a sample. Each figure is a mean of one.
enum class Quantity {
  kNll,         ///< nats, by scored token
  kCorrect,     ///< next tokens predicted right, by scored token
  kKl,          ///< KL(FP || row), nats, by scored token
  kAgreed,      ///< likeliest tokens that are FP's, too, by scored token
  kFrames,      ///< relative distance of the decoder's frames to FP's, by frame
  kExact,       ///< greedy answers equal to the reference, by answer
  kTop1,        ///< references that are the likeliest answer, by answer
  kTop5,        ///< references among the five likeliest answers, by answer
  kWords,       ///< edits of words, by word of the reference
  kCharacters,  ///< edits of characters, by character of the reference
};
inline constexpr std::size_t kQuantities = 10;

/// The sum of a quantity over some of its items, and how many items there were.
struct Sum {
  double value = 0.0, count = 0.0;

  void add(double more, double items = 1.0) {
    value += more;
    count += items;
  }
  double mean() const { return value / count; }
};

/// One sample's sums. A quantity that was not measured counts nothing.
struct SampleSums {
  std::array<Sum, kQuantities> sums = {};

  Sum& operator[](Quantity quantity) { return sums[static_cast<std::size_t>(quantity)]; }
  const Sum& operator[](Quantity quantity) const {
    return sums[static_cast<std::size_t>(quantity)];
  }
};

/// One row of the table on one set. The samples are in the same order in every row.
struct RowSums {
  std::string name;
  std::vector<SampleSums> samples;
};

/// A figure of the table: a quantity's mean over all samples of a set (not a mean of samples).
struct Metric {
  const char* name;  ///< in JSON and report
  Quantity quantity;
  bool lower_is_better = false;
  bool is_exp = false;            ///< exp of the mean
  bool is_against_float = false;  ///< measured against FP, so nothing without a float model
  bool is_shown = true;           ///< has a place in a row, and an interval
  bool recovers = true;           ///< has a recovery
};

/// All figures, in the order in which they are shown.
inline constexpr Metric kMetrics[] = {
    {.name = "perplexity",
     .quantity = Quantity::kNll,
     .lower_is_better = true,
     .is_exp = true,
     .recovers = false},
    {.name = "accuracy", .quantity = Quantity::kCorrect},
    {.name = "kl", .quantity = Quantity::kKl, .lower_is_better = true, .is_against_float = true},
    {.name = "nll", .quantity = Quantity::kNll, .lower_is_better = true, .is_shown = false},
    {.name = "agreement",
     .quantity = Quantity::kAgreed,
     .is_against_float = true,
     .recovers = false},
    {.name = "frames",
     .quantity = Quantity::kFrames,
     .lower_is_better = true,
     .is_against_float = true},
    {.name = "exact", .quantity = Quantity::kExact},
    {.name = "top1", .quantity = Quantity::kTop1},
    {.name = "top5", .quantity = Quantity::kTop5},
    {.name = "wer", .quantity = Quantity::kWords, .lower_is_better = true},
    {.name = "cer", .quantity = Quantity::kCharacters, .lower_is_better = true},
};

/// The metrics that every row has, be it null: those of scored tokens.
constexpr bool is_of_tokens(const Metric& metric) { return metric.quantity < Quantity::kFrames; }

/// A row's figures by the metrics' names. What was not measured is left out.
using Figures = std::map<std::string, double>;
Figures figures_of(const RowSums& row);

/// Counts the scored tokens.
std::int64_t tokens_of(const RowSums& row);

/// The ends of a 95 % interval.
struct Interval {
  double low = 0.0, high = 0.0;
};

/// A share with its 95 % interval.
struct Estimate {
  double value = 0.0, low = 0.0, high = 0.0;
};

/// The share of the loss that came back, by the metrics' names: (quantized - row) / (quantized -
/// FP). Null if the loss itself (quantized against FP) cannot be told from zero.
using Recovery = std::map<std::string, std::optional<Estimate>>;

/// A metric of several rows on resampled samples: all rows are resampled alike, among the samples
/// in which the metric was measured (paired bootstrap). Intervals are percentiles.
class Resampled {
 public:
  /// resamples: how many. rows: all of the same samples.
  Resampled(const Metric& metric, const std::vector<RowSums>& rows, std::int64_t resamples,
            std::uint64_t seed);

  /// Whether the metric was measured at all.
  bool is_measured() const { return is_measured_; }
  double value(std::size_t row) const { return rows_[row].whole; }
  Interval interval(std::size_t row) const;
  std::optional<Estimate> recovery(std::size_t fp, std::size_t quantized, std::size_t row) const;

 private:
  struct Values {
    double whole;
    std::vector<double> resampled;
  };

  bool lower_is_better_, is_measured_ = false;
  std::vector<Values> rows_;
};

}  // namespace dualpath::trainer
