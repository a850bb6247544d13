#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <set>
#include <vector>

#include "data/samples/batch.h"
#include "modules/network/network.h"

namespace dualpath::modules {

using TokenIds = std::vector<std::int64_t>;

/// Prompts of equal length side by side, read once. All that goes on behind them starts from the
/// same keys and values. Decoders that turn by rows and columns (M-RoPE) take pictures one prompt
/// at a time. Network and executor must outlive it.
class ReadPrompts {
 public:
  /// prompts: without padding, with the inputs of their towers.
  ReadPrompts(const Network& network, Executor& executor, const data::Batch& prompts);

  std::int64_t size() const { return logits_.size(0); }
  /// The logits of the token behind each prompt: [B, vocabulary].
  const at::Tensor& logits() const { return logits_; }
  /// Reads some tokens behind each prompt, at least one. Returns the logits of the token behind
  /// them: [B, vocabulary]. Every call starts at the prompts again.
  at::Tensor logits_behind(const std::vector<TokenIds>& tokens) const;
  /// Goes on with the most likely tokens behind each prompt, up to a stop token (left out) or to
  /// max_tokens. The first of several equally likely tokens is taken.
  std::vector<TokenIds> greedy(const std::set<std::int64_t>& stop_tokens,
                               std::int64_t max_tokens) const;

 private:
  at::Tensor run(const at::Tensor& ids, const at::Tensor& mask, KvCache& cache) const;

  const Network& network_;
  Executor& executor_;
  KvCache cache_;
  at::Tensor logits_;
};

}  // namespace dualpath::modules
