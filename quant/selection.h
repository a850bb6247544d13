#pragma once

#include <functional>
#include <string>
#include <vector>

#include "data/batch.h"
#include "modules/network.h"
#include "quant/corrections.h"
#include "quant/distance.h"

namespace dualpath::quant {

/// What a correction did at its own stage, as mean distance a token to the reference.
struct SelectedStage {
  std::string stage;
  double before = 0.0, after = 0.0;
  bool kept = false;
};

/// One pass over batches the corrections were not trained on: each stage's distance to the
/// reference before and after its correction. Those that do not bring their own stage closer are
/// dropped from `corrections`.
std::vector<SelectedStage> select_corrections(const modules::Network& network,
                                              const std::vector<data::Batch>& batches,
                                              modules::Executor& reference,
                                              modules::Executor& quantized,
                                              Corrections& corrections, DistanceKind kind,
                                              const std::function<void(std::int64_t)>& progress);

}  // namespace dualpath::quant
