#include "modules/runtime/generation.h"

#include <ATen/ATen.h>

namespace dualpath::modules {

std::int64_t most_likely(const at::Tensor& logits) {
  return logits.argmax(-1).item<std::int64_t>();
}

void generate(const Network& network, Executor& executor, const State& prompt,
              const PickToken& pick, const std::function<bool(std::int64_t)>& on_token) {
  const at::NoGradGuard no_grad;
  KvCache cache;
  State state = prompt;
  state.cache = &cache;
  for (;;) {
    run(network, executor, state);
    const at::Tensor last = state.hidden.select(1, -1);
    const std::int64_t token = pick(network.head.logits(executor, last).squeeze(0));
    if (!on_token(token)) return;
    state = make_state(at::full({1, 1}, token, prompt.ids.options()), &cache);
  }
}

}  // namespace dualpath::modules
