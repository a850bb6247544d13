#pragma once

#include <vector>

#include "modules/network.h"
#include "tests/support/catch.h"

namespace dualpath::testing {

/// The next `steps` tokens behind the prompt [P], one at a time with a KV cache.
inline torch::Tensor continue_greedily(const modules::Network& network, modules::Executor& executor,
                                       const torch::Tensor& prompt, std::int64_t steps) {
  modules::KvCache cache;
  torch::Tensor ids = prompt.unsqueeze(0);
  std::vector<std::int64_t> tokens;
  for (std::int64_t step = 0; step < steps; ++step) {
    modules::State state = modules::make_state(ids, &cache);
    modules::run(network, executor, state);
    const torch::Tensor last = state.hidden.select(1, -1);
    ids = network.head.logits(executor, last).argmax(-1, /*keepdim=*/true);
    tokens.push_back(ids.item<std::int64_t>());
  }
  return torch::tensor(tokens);
}

/// How far logits may lie from transformers': three times what its own two attentions differ by.
inline float logit_bound(const torch::Tensor& attention_difference) {
  return std::max(1e-4f, 3.0f * attention_difference.max().item<float>());
}

}  // namespace dualpath::testing
