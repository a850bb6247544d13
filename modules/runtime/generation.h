#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

#include "modules/network/network.h"

namespace dualpath::modules {

/// Chooses a token by the logits [vocabulary] behind all that was read.
using PickToken = std::function<std::int64_t(const at::Tensor& logits)>;

/// The one with the largest logit, the first of several.
std::int64_t most_likely(const at::Tensor& logits);

/// Reads the prompt, a text alone (see make_state()) and what its towers are to see, then picks and
/// reads tokens one by one, with a KV cache. Each is handed to on_token, until that returns false.
void generate(const Network& network, Executor& executor, const State& prompt,
              const PickToken& pick, const std::function<bool(std::int64_t)>& on_token);

}  // namespace dualpath::modules
