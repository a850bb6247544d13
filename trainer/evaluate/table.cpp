#include "trainer/evaluate/table.h"

#include <algorithm>

#include "trainer/evaluate/row.h"

namespace dualpath::trainer {
namespace {

std::optional<std::size_t> place_of(const std::vector<Row>& rows, const std::string& name) {
  const auto found = std::ranges::find(rows, name, &Row::name);
  if (found == rows.end()) return std::nullopt;
  return static_cast<std::size_t>(found - rows.begin());
}

/// FP has no distance of frames to itself.
bool has(const Row& row, const Metric& metric, bool has_fp) {
  if (metric.quantity == Quantity::kFrames && row.name == kFp) return false;
  return has_fp || !metric.is_against_float;
}

}  // namespace

std::vector<RowFigures> figures_of(const std::vector<Row>& rows, const std::vector<RowSums>& sums,
                                   std::int64_t bootstrap_samples, std::uint64_t seed) {
  const auto fp = place_of(rows, kFp), quantized = place_of(rows, kQuantized);
  std::vector<RowFigures> figures;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    figures.push_back({.name = rows[i].name, .bytes = rows[i].bytes, .tokens = tokens_of(sums[i])});
    if (fp && rows[i].recovers) figures[i].recovery.emplace();
  }
  for (const Metric& metric : kMetrics) {
    const Resampled resampled(metric, sums, bootstrap_samples, seed);
    if (!resampled.is_measured()) continue;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (!has(rows[i], metric, fp.has_value())) continue;
      figures[i].figures[metric.name] = resampled.value(i);
      if (metric.is_shown) figures[i].intervals[metric.name] = resampled.interval(i);
      if (metric.recovers && figures[i].recovery)
        (*figures[i].recovery)[metric.name] = resampled.recovery(*fp, *quantized, i);
    }
  }
  return figures;
}

}  // namespace dualpath::trainer
