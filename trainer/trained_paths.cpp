#include "trainer/trained_paths.h"

#include "data/base/error.h"
#include "trainer/checkpoint.h"
#include "trainer/selection_file.h"

namespace dualpath::trainer {
namespace {

quant::Calibration calibration_of(const Experiment& experiment, const RunDirectory& directory) {
  const std::filesystem::path file = directory.calibration();
  if (!std::filesystem::exists(file)) {
    throw Error("{}: no calibration there; run `dualpath calibrate` or `dualpath train` first",
                directory.path().string());
  }
  return quant::load_calibration(file, experiment.plan);
}

/// Returns the steps behind the newest whole checkpoint, 0 if there is none.
std::int64_t load_newest(const std::filesystem::path& directory, const Trainables& trainables,
                         const TrainOptions& options, const std::string& fingerprint) {
  Optimizer optimizer(trainables.groups, options);
  return Checkpoints(directory, options.save_total_limit).load_last(optimizer, fingerprint);
}

void drop_unselected(const RunDirectory& directory, std::int64_t step,
                     quant::Corrections& corrections) {
  const auto selection = load_selection(directory.selection(), step);
  if (!selection) return;
  for (const quant::SelectedStage& stage : *selection) {
    if (!stage.kept) corrections.drop(stage.stage);
  }
}

}  // namespace

TrainedPaths load_trained_paths(const Experiment& experiment, const RunDirectory& directory) {
  TrainedPaths paths;
  paths.calibration = calibration_of(experiment, directory);
  paths.control = std::make_unique<ControlPath>(experiment);
  paths.quantized =
      std::make_unique<QuantizedPath>(experiment, paths.calibration, paths.control->executor);
  const TrainOptions& options = experiment.recipe.train;
  const std::string& fingerprint = paths.calibration.fingerprint;
  paths.steps = load_newest(directory.path(), paths.quantized->trainables, options, fingerprint);
  drop_unselected(directory, paths.steps, paths.quantized->trainables.corrections);
  paths.control_steps =
      load_newest(directory.control(), paths.control->trainables, options, fingerprint);
  return paths;
}

TrainedPaths load_trained_paths(const Experiment& experiment, const Texts& texts,
                                const RunDirectory& directory) {
  const std::string model_sha256 = model_fingerprint(experiment.model);
  const std::filesystem::path file = directory.calibration();
  if (std::filesystem::exists(file) && quant::calibration_file_fingerprint(file) !=
                                           run_fingerprint(experiment, texts, model_sha256)) {
    throw Error("{}: made from another model, plan or text; run `dualpath calibrate` again",
                file.string());
  }
  TrainedPaths paths = load_trained_paths(experiment, directory);
  paths.model_sha256 = model_sha256;
  return paths;
}

}  // namespace dualpath::trainer
