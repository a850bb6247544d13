#include "trainer/experiment/rows.h"

#include "modules/execute/compute_weights.h"
#include "quant/stored/layout.h"
#include "quant/transform/transform.h"

namespace dualpath::trainer {
namespace {

std::int64_t export_bytes(const quant::Plan& plan, const modules::WeightStore& weights,
                          at::ScalarType dtype) {
  return quant::total_bytes(quant::planned_bytes(plan, weights, dtype));
}

}  // namespace

Row float_row(const modules::Model& model, at::ScalarType dtype, modules::Executor& executor) {
  return {.name = kFp, .executor = &executor, .bytes = export_bytes({}, *model.weights, dtype)};
}

RunRows::RunRows(const Experiment& experiment, const TrainedPaths& paths)
    : scales_(quant::transforms_of(experiment.plan).empty()
                  ? paths.calibration.scale_tensors
                  : paths.calibration.untransformed_scales,
              experiment.recipe.model.device),
      transformed_scales_(paths.calibration.scales(experiment.recipe.model.device)),
      executor_(paths.control->executor.shared_weights(), experiment.plan, scales_,
                experiment.recipe.compute),
      transformed_(std::make_shared<modules::ComputeWeights>(
                       quant::transformed(experiment.model.weights, experiment.plan,
                                          paths.calibration.transforms),
                       paths.control->executor.shared_weights()),
                   experiment.plan, transformed_scales_, experiment.recipe.compute) {
  const at::ScalarType dtype = experiment.recipe.model.dtype;
  const auto [transformed, trained] = transformed_rows(experiment.plan);
  QuantizedPath& path = *paths.quantized;
  ControlPath& control = *paths.control;

  const Row fp = float_row(experiment.model, dtype, control.executor);
  if (!experiment.recipe.quantizes()) {
    rows_ = {fp};
    if (paths.steps > 0) {
      rows_.push_back({.name = kTrained,
                       .executor = &path.executor,
                       .bytes = export_bytes({}, *path.trainables.weights, dtype),
                       .steps = paths.steps});
    }
    return;
  }
  const Row quantized{.name = kQuantized,
                      .executor = &executor_,
                      .bytes = export_bytes(experiment.plan, *experiment.model.weights, dtype)};
  rows_ = {fp, quantized};
  if (transformed != kQuantized) {
    rows_.push_back({.name = transformed,
                     .executor = &transformed_,
                     .bytes = quantized.bytes,
                     .recovers = true});
  }
  if (paths.steps > 0) {
    rows_.push_back({.name = trained,
                     .executor = &path.corrected,
                     .bytes = export_bytes(experiment.plan, *path.trainables.weights, dtype) +
                              path.trainables.corrections.bytes(),
                     .steps = paths.steps,
                     .recovers = true});
  }
  if (paths.control_steps > 0) {
    rows_.push_back({.name = kControl,
                     .executor = &control.corrected,
                     .bytes = fp.bytes + control.trainables.corrections.bytes(),
                     .steps = paths.control_steps});
  }
}

ExportRows::ExportRows(const modules::Model& model, at::TensorOptions options,
                       quant::Compute compute)
    : exported_(quant::open_export(model, options.device())),
      executor_(model.weights, options, exported_.plan, exported_.scales, compute),
      corrected_(executor_, exported_.corrections) {
  const std::int64_t bytes = export_bytes({}, *model.weights, executor_.compute_dtype());
  rows_ = {{.name = kQuantized, .executor = &executor_, .bytes = bytes},
           {.name = kCorrected,
            .executor = &corrected_,
            .bytes = bytes + exported_.corrections.bytes(),
            .recovers = true}};
}

}  // namespace dualpath::trainer
