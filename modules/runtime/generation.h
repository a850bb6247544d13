#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

#include "modules/network/network.h"

namespace dualpath::modules {

/// Chooses a token by the logits [vocabulary] at the end of the text read so far.
using PickToken = std::function<std::int64_t(const at::Tensor& logits)>;

/// The token with the largest logit, the first of several.
std::int64_t most_likely(const at::Tensor& logits);

/// Reads the prompt, a single text (see make_state()) with the inputs of its towers, then picks and
/// reads tokens one by one, with a KV cache. Hands each token to on_token, until that returns
/// false.
void generate(const Network& network, Executor& executor, const State& prompt,
              const PickToken& pick, const std::function<bool(std::int64_t)>& on_token);

}  // namespace dualpath::modules
