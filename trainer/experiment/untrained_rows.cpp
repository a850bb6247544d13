#include "trainer/experiment/untrained_rows.h"

#include "modules/execute/compute_weights.h"
#include "quant/transform/transform.h"

namespace dualpath::trainer {

UntrainedRows::UntrainedRows(const Experiment& experiment, const quant::Calibration& calibration,
                             const modules::FloatExecutor& reference)
    : prefix_(quant::row_prefix(experiment.plan)),
      scales_(prefix_.empty() ? calibration.scale_tensors : calibration.untransformed_scales),
      smoothed_scales_(calibration.scales()),
      executor_(reference.shared_weights(), experiment.plan, scales_, experiment.recipe.compute),
      smoothed_(
          std::make_shared<modules::ComputeWeights>(
              quant::transformed(experiment.model.weights, experiment.plan, calibration.transforms),
              reference.shared_weights()),
          experiment.plan, smoothed_scales_, experiment.recipe.compute) {}

std::vector<EvaluatedRow> UntrainedRows::rows() {
  std::vector<EvaluatedRow> rows{{kQuantized, &executor_}};
  if (!prefix_.empty()) rows.push_back({prefix_, &smoothed_});
  return rows;
}

}  // namespace dualpath::trainer
