#include "modules/runtime/sampling.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

namespace dualpath::modules {
namespace {

/// The token ids that are left.
using Kept = std::vector<std::size_t>;

void keep_top_k(std::span<const float> logits, std::int64_t k, Kept& kept) {
  if (k == 0 || static_cast<std::size_t>(k) >= kept.size()) return;
  std::vector<float> sorted(logits.begin(), logits.end());
  const auto least = sorted.begin() + (k - 1);
  std::nth_element(sorted.begin(), least, sorted.end(), std::greater<>());
  std::erase_if(kept, [&](std::size_t token) { return logits[token] < *least; });
}

/// exp(logit / temperature), the largest of them 1.
std::vector<double> weights_of(std::span<const float> logits, double temperature,
                               const Kept& kept) {
  double largest = -std::numeric_limits<double>::infinity();
  for (const std::size_t token : kept) largest = std::max<double>(largest, logits[token]);
  std::vector<double> weights(logits.size());
  for (const std::size_t token : kept)
    weights[token] = std::exp((logits[token] - largest) / temperature);
  return weights;
}

/// Drops tokens from the least likely on, while the dropped ones together have no more than 1 - p.
/// One stays.
void keep_top_p(const std::vector<double>& weights, double p, Kept& kept) {
  if (p >= 1.0) return;
  std::stable_sort(kept.begin(), kept.end(),
                   [&](std::size_t a, std::size_t b) { return weights[a] < weights[b]; });
  const double total =
      std::accumulate(kept.begin(), kept.end(), 0.0,
                      [&](double sum, std::size_t token) { return sum + weights[token]; });
  double gone = 0.0;
  const auto first_kept = std::find_if(kept.begin(), kept.end() - 1, [&](std::size_t token) {
    gone += weights[token];
    return gone > (1.0 - p) * total;
  });
  kept.erase(kept.begin(), first_kept);
}

}  // namespace

std::vector<double> drawing_probabilities(std::span<const float> logits,
                                          const SamplingOptions& options) {
  Kept kept(logits.size());
  std::iota(kept.begin(), kept.end(), std::size_t{0});
  keep_top_k(logits, options.top_k, kept);
  const std::vector<double> weights = weights_of(logits, options.temperature, kept);
  keep_top_p(weights, options.top_p, kept);
  double total = 0.0;
  for (const std::size_t token : kept) total += weights[token];
  std::vector<double> probabilities(logits.size());
  for (const std::size_t token : kept) probabilities[token] = weights[token] / total;
  return probabilities;
}

std::int64_t Sampler::draw(std::span<const float> logits) {
  const std::vector<double> probabilities = drawing_probabilities(logits, options_);
  double left = generator_.uniform();
  std::int64_t drawn = 0;
  for (std::size_t token = 0; token < probabilities.size(); ++token) {
    if (probabilities[token] == 0.0) continue;
    drawn = static_cast<std::int64_t>(token);  // the last token, if the sum falls short of 1
    left -= probabilities[token];
    if (left < 0.0) break;
  }
  return drawn;
}

}  // namespace dualpath::modules
