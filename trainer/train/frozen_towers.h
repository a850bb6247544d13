#pragma once

#include <string>
#include <utility>
#include <vector>

#include "data/samples/batch.h"
#include "modules/network/network.h"
#include "trainer/train/feature_store.h"

namespace dualpath::trainer {

/// A tower of which nothing is trained, with or without its alignment. Its output for a picture or
/// clip depends on the file alone.
struct FrozenTower {
  modules::Modality modality = modules::Modality::kText;
  modules::Network network;
  std::string fingerprint;  ///< names weights, configuration and dtype
  /// Whether frames behind a clip count as input, as Whisper's silence does.
  bool sees_padding = false;
};

/// Runs frozen towers, one file at a time, so that the output has the same bits whatever the batch,
/// and from the store as computed. No graph is kept for backward.
class FrozenTowers {
 public:
  FrozenTowers() = default;  ///< none
  /// store: outputs that need not be computed again; null if all are. It must outlive this.
  FrozenTowers(std::vector<FrozenTower> towers, FeatureStore* store)
      : towers_(std::move(towers)), store_(store) {}

  /// Puts the outputs for a batch's files into its state, padded on the right.
  void run(const data::Batch& batch, modules::Executor& executor, modules::State& state) const;
  /// The network without the frozen stages.
  modules::Network rest(const modules::Network& network) const;

  const std::vector<FrozenTower>& towers() const { return towers_; }

 private:
  TowerFeatures features(const FrozenTower& tower, const data::TowerBatch& file,
                         modules::Executor& executor) const;

  std::vector<FrozenTower> towers_;
  FeatureStore* store_ = nullptr;
};

}  // namespace dualpath::trainer
