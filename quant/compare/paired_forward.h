#pragma once

#include <string>
#include <utility>
#include <vector>

#include "modules/execute/gradient_checkpointing.h"
#include "modules/network/network.h"
#include "quant/compare/distance.h"

namespace dualpath::quant {

struct StageDistance {
  std::string stage;
  torch::Tensor sum;        ///< sum over real positions, float32 scalar; differentiable
  torch::Tensor positions;  ///< number of real positions in the stage's stream, int64 scalar
};

/// Both paths between two stages.
struct PairedStates {
  modules::State reference, quantized;
};

/// Both paths at the last stage, and their distances on the way.
struct PairedForward : PairedStates {
  std::vector<StageDistance> distances;  ///< one for each stage that may carry a correction
};

/// Runs both paths stage by stage. The reference runs without gradient, and only the distance's
/// difference is kept from it. `checkpointing` is the quantized path's: its stages keep their
/// graphs, or their inputs alone.
PairedForward paired_forward(const modules::Network& network, const PairedStates& start,
                             modules::Executor& reference, modules::Executor& quantized,
                             DistanceKind kind,
                             const modules::GradientCheckpointing& checkpointing = {});
/// Runs both paths from the same start.
inline PairedForward paired_forward(const modules::Network& network, const modules::State& start,
                                    modules::Executor& reference, modules::Executor& quantized,
                                    DistanceKind kind,
                                    const modules::GradientCheckpointing& checkpointing = {}) {
  return paired_forward(network, PairedStates{start, start}, reference, quantized, kind,
                        checkpointing);
}

}  // namespace dualpath::quant
