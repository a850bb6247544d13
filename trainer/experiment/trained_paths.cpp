#include "trainer/experiment/trained_paths.h"

#include <nlohmann/json.hpp>

#include "data/base/error.h"
#include "trainer/experiment/same_run.h"
#include "trainer/experiment/selection_file.h"
#include "trainer/train/blockwise.h"
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
                         const Experiment& experiment, const std::string& fingerprint) {
  const TrainOptions& options = experiment.recipe.train;
  Optimizer optimizer(trainables.groups, options);
  return Checkpoints(directory, options.save_total_limit, *experiment.processes)
      .load_last(optimizer, fingerprint);
}

/// The stages whose corrections were dropped after this step.
std::vector<std::string> dropped_stages(const RunDirectory& directory, std::int64_t step) {
  std::vector<std::string> dropped;
  const auto selection = load_selection(directory.selection(), step);
  if (!selection) return dropped;
  for (const quant::SelectedStage& stage : *selection) {
    if (!stage.kept) dropped.push_back(stage.stage);
  }
  return dropped;
}

/// Loads what was trained end to end, or block by block, and returns the steps behind it.
std::int64_t load_trained(const Experiment& experiment, const RunDirectory& directory,
                          const Trainables& trainables, const std::string& fingerprint) {
  if (!is_trained_blockwise(*experiment.processes, directory))
    return load_newest(directory.path(), trainables, experiment, fingerprint);
  const TrainOptions& options = experiment.recipe.train;
  return load_blocks(directory.path(), options,
                     blocks_of(experiment.model.network, trainables.groups, options.block_size),
                     fingerprint, *experiment.processes);
}

void drop_unselected(Processes& processes, const RunDirectory& directory, std::int64_t step,
                     modules::Corrections& corrections) {
  const nlohmann::json dropped =
      processes.is_first() ? dropped_stages(directory, step) : std::vector<std::string>();
  const std::string text = processes.broadcast("select", dropped.dump());
  for (const std::string stage : nlohmann::json::parse(text)) corrections.drop(stage);
}

TrainedPaths load_paths(const Experiment& experiment, const RunDirectory& directory) {
  Processes& processes = *experiment.processes;
  TrainedPaths paths;
  if (processes.is_first())
    paths.calibration = quant::load_calibration(directory.calibration(), experiment.plan);
  paths.calibration = shared_calibration(experiment, std::move(paths.calibration), directory);
  paths.control = std::make_unique<ControlPath>(experiment);
  paths.quantized =
      std::make_unique<QuantizedPath>(experiment, paths.calibration, paths.control->executor);
  const std::string& fingerprint = paths.calibration.source.fingerprint;
  paths.steps = load_trained(experiment, directory, paths.quantized->trainables, fingerprint);
  drop_unselected(processes, directory, paths.steps, paths.quantized->trainables.corrections);
  paths.control_steps =
      load_newest(directory.control(), paths.control->trainables, experiment, fingerprint);
  return paths;
}

}  // namespace

bool is_trained_blockwise(Processes& processes, const RunDirectory& directory) {
  const bool is_there = std::filesystem::exists(block_directory(directory.path(), 0).parent_path());
  return processes.broadcast("blocks", is_there ? "there" : "") == "there";
}

quant::Calibration shared_calibration(const Experiment& experiment, quant::Calibration calibration,
                                      const RunDirectory& directory) {
  Processes& processes = *experiment.processes;
  if (processes.size() == 1) return calibration;
  constexpr const char* kWhat = "calibration";
  const auto& [fingerprint, model, tokenizer] = calibration.source;
  const nlohmann::json source =
      processes.broadcast(kWhat, nlohmann::json::array({fingerprint, model, tokenizer}).dump());
  const auto tensors = processes.broadcast(kWhat, quant::calibration_tensors(calibration));
  if (processes.is_first()) return calibration;
  calibration = quant::calibration_in(tensors, experiment.plan, directory.calibration());
  const nlohmann::json words = nlohmann::json::parse(source.get<std::string>());
  calibration.source = {words[0], words[1], words[2]};
  return calibration;
}

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
  require_same_run(*experiment.processes, experiment.recipe, texts, experiment.model);
  experiment.processes->on_first("start", [&] {
    if (source_in(directory).fingerprint != source.fingerprint)
      throw_other(directory, "model, plan, text or teacher");
  });
  TrainedPaths paths = load_paths(experiment, directory);
  paths.calibration.source = source;  // an older file names the fingerprint alone
  return paths;
}

}  // namespace dualpath::trainer
