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
  torch::Tensor sum;  ///< over real positions, float32 scalar; differentiable
  double positions;   ///< how many those are, in the stage's stream
};

/// Both paths at the last stage, and how far they were apart on the way.
struct PairedForward {
  modules::State reference, quantized;
  std::vector<StageDistance> distances;  ///< of the stages that may carry a correction
};

/// Runs both paths stage by stage from the same start: the reference without gradient, and nothing
/// of it is kept but the distance's difference. `checkpointing` is the quantized path's: its stages
/// keep their graphs, or their inputs alone.
PairedForward paired_forward(const modules::Network& network, const modules::State& start,
                             modules::Executor& reference, modules::Executor& quantized,
                             DistanceKind kind,
                             const modules::GradientCheckpointing& checkpointing = {});

}  // namespace dualpath::quant
