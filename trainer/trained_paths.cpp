#include "trainer/trained_paths.h"

#include "data/base/error.h"
#include "trainer/checkpoint.h"
#include "trainer/selection_file.h"

namespace dualpath::trainer {
namespace {

Checkpoints checkpoints_in(const std::filesystem::path& directory) {
  return {directory, /*save_total_limit=*/1};
}

}  // namespace

std::int64_t trained_steps(const std::filesystem::path& directory) {
  const std::vector<std::int64_t> steps = checkpoints_in(directory).steps();
  return steps.empty() ? 0 : steps.back();
}

std::unique_ptr<QuantizedPath> load_quantized_path(const Experiment& experiment, const Texts& texts,
                                                   const RunDirectory& directory) {
  if (!std::filesystem::exists(directory.calibration())) {
    throw Error("{}: no calibration there; run `dualpath calibrate` or `dualpath train` first",
                directory.path().string());
  }
  const quant::Calibration calibration =
      quant::load_calibration(directory.calibration(), experiment.plan);
  if (calibration.fingerprint != run_fingerprint(experiment, texts)) {
    throw Error("{}: made from another model, plan or text; run `dualpath calibrate` again",
                directory.calibration().string());
  }
  auto path = std::make_unique<QuantizedPath>(experiment, calibration.scales());
  Optimizer optimizer(path->trainables.groups, experiment.recipe.train);
  const std::int64_t step =
      checkpoints_in(directory.path()).load_last(optimizer, calibration.fingerprint);
  if (const auto selection = load_selection(directory.selection(), step)) {
    for (const quant::SelectedStage& stage : *selection) {
      if (!stage.kept) path->trainables.corrections.drop(stage.stage);
    }
  }
  return path;
}

std::unique_ptr<ControlPath> load_control_path(const Experiment& experiment, const Texts& texts,
                                               const RunDirectory& directory) {
  if (trained_steps(directory.control()) == 0) return nullptr;
  auto path = std::make_unique<ControlPath>(experiment);
  Optimizer optimizer(path->trainables.groups, experiment.recipe.train);
  checkpoints_in(directory.control()).load_last(optimizer, run_fingerprint(experiment, texts));
  return path;
}

}  // namespace dualpath::trainer
