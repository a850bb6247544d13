#include "trainer/evaluate/metrics.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "data/base/generator.h"

namespace dualpath::trainer {
namespace {

using Choice = std::vector<std::size_t>;

Metrics metrics_over(const RowSums& row, const Choice& windows) {
  WindowSums sum;
  for (const std::size_t i : windows) {
    const WindowSums& window = row.windows[i];
    sum.nll += window.nll;
    sum.kl += window.kl;
    sum.correct += window.correct;
    sum.agreed += window.agreed;
    sum.tokens += window.tokens;
  }
  const double tokens = static_cast<double>(sum.tokens);
  const double nll = sum.nll / tokens;
  return {.nll = nll,
          .perplexity = std::exp(nll),
          .accuracy = static_cast<double>(sum.correct) / tokens,
          .kl = sum.kl / tokens,
          .agreement = static_cast<double>(sum.agreed) / tokens,
          .tokens = sum.tokens};
}

Choice all_windows(const RowSums& row) {
  Choice all(row.windows.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
  return all;
}

/// The loss by quantizing and the gain by correcting, for one choice of windows.
struct Change {
  double lost = 0.0, won = 0.0;
  double share() const { return won / lost; }
};

struct Changes {
  Change accuracy, kl, nll;
};

Changes changes(const RowSums& fp, const RowSums& quantized, const RowSums& corrected,
                const Choice& windows) {
  const Metrics f = metrics_over(fp, windows), q = metrics_over(quantized, windows),
                c = metrics_over(corrected, windows);
  return {{f.accuracy - q.accuracy, c.accuracy - q.accuracy},
          {q.kl - f.kl, q.kl - c.kl},
          {q.nll - f.nll, q.nll - c.nll}};
}

double percentile(std::vector<double> values, double share) {
  const auto at =
      values.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

using Measure = Change Changes::*;

std::optional<Estimate> estimate(const Changes& whole, const std::vector<Changes>& resampled,
                                 Measure measure) {
  std::vector<double> lost, shares;
  for (const Changes& sample : resampled) {
    lost.push_back((sample.*measure).lost);
    shares.push_back((sample.*measure).share());
  }
  constexpr double kLow = 0.025, kHigh = 0.975;
  if (lost.empty() || percentile(lost, kLow) <= 0.0) return std::nullopt;
  return Estimate{(whole.*measure).share(), percentile(shares, kLow), percentile(shares, kHigh)};
}

}  // namespace

Metrics metrics_of(const RowSums& row) { return metrics_over(row, all_windows(row)); }

Recovery recovery(const RowSums& fp, const RowSums& quantized, const RowSums& corrected,
                  std::int64_t samples, std::uint64_t seed) {
  Generator generator = Generator::derived(seed, "bootstrap");
  const Choice all = all_windows(fp);
  std::vector<Changes> resampled;
  for (std::int64_t i = 0; i < samples; ++i) {
    Choice choice(all.size());
    for (std::size_t& window : choice) window = generator.below(all.size());
    resampled.push_back(changes(fp, quantized, corrected, choice));
  }
  const Changes whole = changes(fp, quantized, corrected, all);
  return {estimate(whole, resampled, &Changes::accuracy), estimate(whole, resampled, &Changes::kl),
          estimate(whole, resampled, &Changes::nll)};
}

}  // namespace dualpath::trainer
