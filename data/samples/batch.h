#pragma once

#include <torch/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "data/samples/tower_batch.h"
#include "data/text/tokens.h"
#include "data/text/windows.h"

namespace dualpath::data {

/// The target where nothing is to be predicted, as torch's losses have it.
inline constexpr std::int64_t kNoTarget = -100;

/// B windows side by side, T tokens in the longest. Shorter ones are padded on the right only:
/// causal attention never looks there from a real token, so padding needs no place in the attention
/// mask.
struct Batch {
  torch::Tensor ids;   // [B, T] int64; 0 at padding
  torch::Tensor mask;  // [B, T] bool; false at padding
  /// [B, T] int64: the next token. kNoTarget if the next token is context only, at a window's last
  /// token and at padding.
  torch::Tensor targets;

  std::optional<TowerBatch> images = {}, audio = {};
  TowerBatches taught = {};  ///< the same files as a teacher takes them; see TaughtSamples

  /// Counts the positions that have a target: losses and metrics are divided by this.
  std::int64_t counted() const;
};

/// Puts at least one text side by side.
Batch make_batch(std::span<const TokenSpan> texts);
/// Makes a batch of the named windows in the order given, on the CPU. At least one window.
Batch make_batch(const Windows& windows, std::span<const std::size_t> chosen);

}  // namespace dualpath::data
