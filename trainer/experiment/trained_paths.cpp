#include "trainer/experiment/trained_paths.h"

#include "data/base/error.h"
#include "trainer/experiment/selection_file.h"
#include "trainer/train/checkpoint.h"

namespace dualpath::trainer {
namespace {

quant::CalibrationSource source_in(const RunDirectory& directory) {
  const std::filesystem::path file = directory.calibration();
  if (!std::filesystem::exists(file)) {
    throw Error("{}: no calibration there; run `dualpath calibrate` or `dualpath train` first",
                directory.path().string());
  }
  return quant::calibration_file_source(file);
}

[[noreturn]] void throw_other(const RunDirectory& directory, const char* what) {
  throw Error("{}: made from another {}; `dualpath train --restart` starts anew",
              directory.calibration().string(), what);
}

/// Returns the steps behind the newest whole checkpoint, 0 if there is none.
std::int64_t load_newest(const std::filesystem::path& directory, const Trainables& trainables,
                         const TrainOptions& options, const std::string& fingerprint) {
  Optimizer optimizer(trainables.groups, options);
  return Checkpoints(directory, options.save_total_limit).load_last(optimizer, fingerprint);
}

void drop_unselected(const RunDirectory& directory, std::int64_t step,
                     modules::Corrections& corrections) {
  const auto selection = load_selection(directory.selection(), step);
  if (!selection) return;
  for (const quant::SelectedStage& stage : *selection) {
    if (!stage.kept) corrections.drop(stage.stage);
  }
}

TrainedPaths load_paths(const Experiment& experiment, const RunDirectory& directory) {
  TrainedPaths paths;
  paths.calibration = quant::load_calibration(directory.calibration(), experiment.plan);
  paths.control = std::make_unique<ControlPath>(experiment);
  paths.quantized =
      std::make_unique<QuantizedPath>(experiment, paths.calibration, paths.control->executor);
  const TrainOptions& options = experiment.recipe.train;
  const std::string& fingerprint = paths.calibration.source.fingerprint;
  paths.steps = load_newest(directory.path(), paths.quantized->trainables, options, fingerprint);
  drop_unselected(directory, paths.steps, paths.quantized->trainables.corrections);
  paths.control_steps =
      load_newest(directory.control(), paths.control->trainables, options, fingerprint);
  return paths;
}

}  // namespace

TrainedPaths load_trained_paths(const Experiment& experiment, const RunDirectory& directory) {
  const quant::CalibrationSource source = source_in(directory);
  if (source.model_sha256.empty())
    throw Error("{}: does not say which model it was made from; `dualpath calibrate` adds that",
                directory.calibration().string());
  if (source.model_sha256 != model_fingerprint(experiment.model)) throw_other(directory, "model");
  if (source.tokenizer_sha256 != tokenizer_fingerprint(experiment.model))
    throw_other(directory, "tokenizer");
  return load_paths(experiment, directory);
}

TrainedPaths load_trained_paths(const Experiment& experiment, const Texts& texts,
                                const RunDirectory& directory) {
  const quant::CalibrationSource source = source_of(experiment, texts);
  if (source_in(directory).fingerprint != source.fingerprint)
    throw_other(directory, "model, plan or text");
  TrainedPaths paths = load_paths(experiment, directory);
  paths.calibration.source = source;  // an older file names the fingerprint alone
  return paths;
}

}  // namespace dualpath::trainer
