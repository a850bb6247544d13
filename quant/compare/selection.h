#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "data/samples/batch.h"
#include "modules/correction/corrections.h"
#include "modules/network/network.h"
#include "quant/compare/distance.h"

namespace dualpath::quant {

/// Batches, made a few at a time: their pictures are never all in memory.
struct SelectionBatches {
  std::size_t count = 0;
  std::function<data::Batch(std::size_t)> batch;
};

/// A correction's effect at its own stage, as mean distance a token to the reference.
struct SelectedStage {
  std::string stage;
  double before = 0.0, after = 0.0;
  bool kept = false;
};

/// Measures each stage's distance to the reference before and after its correction. Takes one pass
/// over batches that the corrections were not trained on. Corrections that do not bring their own
/// stage closer are dropped from `corrections`. `progress` is called after each stage of each
/// batch.
std::vector<SelectedStage> select_corrections(const modules::Network& network,
                                              const SelectionBatches& batches,
                                              modules::Executor& reference,
                                              modules::Executor& quantized,
                                              modules::Corrections& corrections, DistanceKind kind,
                                              const std::function<void()>& progress);

}  // namespace dualpath::quant
