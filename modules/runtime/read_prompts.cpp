#include "modules/runtime/read_prompts.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <functional>

#include "data/process/interrupt.h"
#include "modules/network/batch_state.h"
#include "modules/weights/not_finite.h"
#include "modules/weights/to_device.h"

namespace dualpath::modules {
namespace {

using at::Tensor;

/// The hidden state of each row's last real token: [B, H].
Tensor last_of(const Tensor& hidden, const Tensor& mask) {
  const Tensor last = to_device(mask.sum(1).sub(1), hidden.device());
  return hidden.gather(1, last.view({-1, 1, 1}).expand({-1, 1, hidden.size(2)})).squeeze(1);
}

}  // namespace

ReadPrompts::ReadPrompts(const Network& network, Executor& executor, const data::Batch& prompts)
    : network_(network), executor_(executor) {
  const at::NoGradGuard no_grad;
  State state = make_state(prompts, executor.device());
  state.cache = &cache_;
  modules::run(network, executor, state);
  logits_ = network.head.logits(executor, state.hidden.select(1, -1));
  require_finite("the model's logits", logits_);
}

Tensor ReadPrompts::run(const Tensor& ids, const Tensor& mask, KvCache& cache) const {
  const at::NoGradGuard no_grad;
  const at::Device device = executor_.device();
  State state = make_state(to_device(ids, device), to_device(mask, device), &cache);
  modules::run(network_, executor_, state);
  Tensor logits = network_.head.logits(executor_, last_of(state.hidden, mask));
  require_finite("the model's logits", logits);
  return logits;
}

Tensor ReadPrompts::logits_behind(const std::vector<TokenIds>& tokens) const {
  std::size_t longest = 0;
  for (const TokenIds& row : tokens) longest = std::max(longest, row.size());
  const Tensor ids = at::zeros({size(), static_cast<std::int64_t>(longest)}, at::kLong),
               mask = at::zeros_like(ids, at::kBool);
  for (std::size_t row = 0; row < tokens.size(); ++row) {
    std::ranges::copy(tokens[row], ids.mutable_data_ptr<std::int64_t>() + row * longest);
    std::fill_n(mask.mutable_data_ptr<bool>() + row * longest, tokens[row].size(), true);
  }
  KvCache cache = cache_;  // a full one, so that what is appended goes to memory of its own
  return run(ids, mask, cache);
}

std::vector<TokenIds> ReadPrompts::greedy(const std::set<std::int64_t>& stop_tokens,
                                          std::int64_t max_tokens) const {
  std::vector<TokenIds> answers(static_cast<std::size_t>(size()));
  std::vector<bool> ended(answers.size(), false);
  KvCache cache = cache_;
  Tensor logits = logits_;
  for (std::int64_t i = 1;; ++i) {
    throw_if_interrupted();
    const Tensor next = logits.argmax(-1).cpu();
    const auto token = next.accessor<std::int64_t, 1>();
    for (std::size_t row = 0; row < answers.size(); ++row) {
      const std::int64_t picked = token[static_cast<std::int64_t>(row)];
      ended[row] = ended[row] || stop_tokens.contains(picked);
      if (!ended[row]) answers[row].push_back(picked);
    }
    if (i == max_tokens || std::ranges::all_of(ended, std::identity())) return answers;
    const Tensor ids = next.unsqueeze(1);
    logits = run(ids, at::ones_like(ids, at::kBool), cache);
  }
}

}  // namespace dualpath::modules
