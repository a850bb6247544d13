#include "trainer/experiment/untrained_rows.h"

#include "modules/execute/compute_weights.h"
#include "quant/transform/smoothed_weights.h"

namespace dualpath::trainer {

UntrainedRows::UntrainedRows(const Experiment& experiment, const quant::Calibration& calibration,
                             const modules::FloatExecutor& reference)
    : is_smoothed_(!experiment.plan.folds.empty()),
      scales_(is_smoothed_ ? calibration.unsmoothed_scales : calibration.scale_tensors),
      smoothed_scales_(calibration.scales()),
      executor_(reference.shared_weights(), experiment.plan, scales_, experiment.recipe.compute),
      smoothed_(std::make_shared<modules::ComputeWeights>(
                    quant::smoothed(experiment.model.weights, experiment.plan,
                                    calibration.smoothing.factors),
                    reference.shared_weights()),
                experiment.plan, smoothed_scales_, experiment.recipe.compute) {}

std::vector<EvaluatedRow> UntrainedRows::rows() {
  std::vector<EvaluatedRow> rows{{kQuantized, &executor_}};
  if (is_smoothed_) rows.push_back({kSmoothed, &smoothed_});
  return rows;
}

}  // namespace dualpath::trainer
