#include "quant/paired_forward.h"

#include <torch/utils.h>

namespace dualpath::quant {

PairedForward paired_forward(const modules::Network& network, const data::Batch& batch,
                             modules::Executor& reference, modules::Executor& quantized,
                             DistanceKind kind,
                             const modules::GradientCheckpointing& checkpointing) {
  const modules::State start = modules::make_state(batch.ids, batch.mask);
  PairedForward paired{start, start, {}};
  modules::State &fp = paired.reference, &q = paired.quantized;
  for (const modules::Stage& stage : network.stages) {
    {
      const torch::NoGradGuard no_grad;
      modules::run(stage, reference, fp);
    }
    checkpointing.run(stage, quantized, q);
    if (!stage.correctable) continue;
    paired.distances.push_back(
        {stage.name, hidden_distance(kind, fp.hidden, q.hidden, batch.mask)});
  }
  return paired;
}

}  // namespace dualpath::quant
