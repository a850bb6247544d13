#pragma once

#include <vector>

#include "modules/runtime/generation.h"
#include "tests/support/catch.h"

namespace dualpath::testing {

/// The next `steps` (> 0) tokens behind the prompt (ids [P]), one at a time with a KV cache.
inline torch::Tensor continue_greedily(const modules::Network& network, modules::Executor& executor,
                                       const modules::State& prompt, std::int64_t steps) {
  std::vector<std::int64_t> tokens;
  modules::generate(network, executor, prompt, modules::most_likely, [&](std::int64_t token) {
    tokens.push_back(token);
    return std::ssize(tokens) < steps;
  });
  return torch::tensor(tokens);
}
inline torch::Tensor continue_greedily(const modules::Network& network, modules::Executor& executor,
                                       const torch::Tensor& prompt, std::int64_t steps) {
  return continue_greedily(network, executor, modules::make_state(prompt.unsqueeze(0)), steps);
}

/// The largest distance of logits from transformers': three times that between its own two
/// attentions.
inline float logit_bound(const torch::Tensor& attention_difference) {
  return std::max(1e-4f, 3.0f * attention_difference.max().item<float>());
}

}  // namespace dualpath::testing
