#include "quant/compare/paired_forward.h"

#include <torch/utils.h>

namespace dualpath::quant {
namespace {

/// Counts a mask's real positions: one tensor for all stages that have the same mask.
class Positions {
 public:
  torch::Tensor of(const torch::Tensor& mask) {
    if (!mask.is_same(mask_)) count_ = mask.sum();
    mask_ = mask;
    return count_;
  }

 private:
  torch::Tensor mask_, count_;
};

}  // namespace

PairedForward paired_forward(const modules::Network& network, const PairedStates& start,
                             modules::Executor& reference, modules::Executor& quantized,
                             DistanceKind kind,
                             const modules::GradientCheckpointing& checkpointing) {
  PairedForward paired{start, {}};
  Positions positions;
  modules::State &fp = paired.reference, &q = paired.quantized;
  for (const modules::Stage& stage : network.stages) {
    {
      const torch::NoGradGuard no_grad;
      modules::run(stage, reference, fp);
    }
    checkpointing.run(stage, quantized, q);
    if (!stage.correctable || !q.has(stage.stream)) continue;
    const modules::Stream &exact = fp.stream(stage.stream), &made = q.stream(stage.stream);
    paired.distances.push_back({stage.name,
                                hidden_distance(kind, exact.hidden, made.hidden, made.mask),
                                positions.of(made.mask)});
  }
  return paired;
}

}  // namespace dualpath::quant
