#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/base/generator.h"

namespace dualpath::modules {

/// Options of drawing a token, in transformers' order and with its meanings.
struct SamplingOptions {
  double temperature = 0.0;  ///< logits are divided by it; 0: always the most likely token
  std::int64_t top_k = 0;    ///< only this many of the most likely (and ties with the last); 0: all
  double top_p = 1.0;        ///< only the fewest that together have this probability; 1: all

  bool is_greedy() const { return temperature == 0.0; }
};

/// Each token's probability of being drawn. The options must not be greedy, the logits must be
/// finite.
std::vector<double> drawing_probabilities(std::span<const float> logits,
                                          const SamplingOptions& options);

/// Draws tokens. The options must not be greedy. Equal seeds and logits give equal tokens.
class Sampler {
 public:
  Sampler(const SamplingOptions& options, std::uint64_t seed)
      : options_(options), generator_(Generator::derived(seed, "sampling")) {}

  std::int64_t draw(std::span<const float> logits);

 private:
  SamplingOptions options_;
  Generator generator_;
};

}  // namespace dualpath::modules
