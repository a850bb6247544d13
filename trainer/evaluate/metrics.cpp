#include "trainer/evaluate/metrics.h"

#include <algorithm>
#include <cmath>

#include "data/base/generator.h"

namespace dualpath::trainer {
namespace {

using Choice = std::vector<std::size_t>;

constexpr double kLow = 0.025, kHigh = 0.975;

double figure_over(const Metric& metric, const RowSums& row, const Choice& samples) {
  Sum sum;
  for (const std::size_t i : samples) {
    const Sum& own = row.samples[i][metric.quantity];
    sum.add(own.value, own.count);
  }
  return metric.is_exp ? std::exp(sum.mean()) : sum.mean();
}

/// The samples in which the metric was measured.
Choice measured_in(const Metric& metric, const RowSums& row) {
  Choice samples;
  for (std::size_t i = 0; i < row.samples.size(); ++i)
    if (row.samples[i][metric.quantity].count > 0) samples.push_back(i);
  return samples;
}

double percentile(std::vector<double> values, double share) {
  const auto at =
      values.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

}  // namespace

Figures figures_of(const RowSums& row) {
  Figures figures;
  for (const Metric& metric : kMetrics) {
    const Choice samples = measured_in(metric, row);
    if (!samples.empty()) figures[metric.name] = figure_over(metric, row, samples);
  }
  return figures;
}

std::int64_t tokens_of(const RowSums& row) {
  double tokens = 0.0;
  for (const SampleSums& sample : row.samples) tokens += sample[Quantity::kNll].count;
  return static_cast<std::int64_t>(tokens);
}

Resampled::Resampled(const Metric& metric, const std::vector<RowSums>& rows, std::int64_t resamples,
                     std::uint64_t seed)
    : lower_is_better_(metric.lower_is_better) {
  const Choice all = measured_in(metric, rows.front());
  is_measured_ = !all.empty();
  if (!is_measured_) return;
  for (const RowSums& row : rows) rows_.push_back({figure_over(metric, row, all), {}});
  Generator generator = Generator::derived(seed, "bootstrap");
  Choice choice(all.size());
  for (std::int64_t i = 0; i < resamples; ++i) {
    for (std::size_t& sample : choice) sample = all[generator.below(all.size())];
    for (std::size_t row = 0; row < rows.size(); ++row)
      rows_[row].resampled.push_back(figure_over(metric, rows[row], choice));
  }
}

Interval Resampled::interval(std::size_t row) const {
  const std::vector<double>& values = rows_[row].resampled;
  return {percentile(values, kLow), percentile(values, kHigh)};
}

std::optional<Estimate> Resampled::recovery(std::size_t fp, std::size_t quantized,
                                            std::size_t row) const {
  const auto lost_by = [this](double better, double worse) {
    return lower_is_better_ ? worse - better : better - worse;
  };
  const Values &f = rows_[fp], &q = rows_[quantized], &r = rows_[row];
  std::vector<double> lost, shares;
  for (std::size_t i = 0; i < f.resampled.size(); ++i) {
    lost.push_back(lost_by(f.resampled[i], q.resampled[i]));
    shares.push_back(lost_by(r.resampled[i], q.resampled[i]) / lost.back());
  }
  if (lost.empty() || percentile(lost, kLow) <= 0.0) return std::nullopt;
  return Estimate{lost_by(r.whole, q.whole) / lost_by(f.whole, q.whole), percentile(shares, kLow),
                  percentile(shares, kHigh)};
}

}  // namespace dualpath::trainer
