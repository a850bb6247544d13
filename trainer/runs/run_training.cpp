#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "data/base/error.h"
#include "data/base/failpoint.h"
#include "data/process/interrupt.h"
#include "data/process/memory.h"
#include "data/process/progress.h"
#include "data/process/standard_streams.h"
#include "trainer/experiment/run_objective.h"
#include "trainer/experiment/selection_file.h"
#include "trainer/predict/config_prediction.h"
#include "trainer/predict/device_memory.h"
#include "trainer/predict/memory_advice.h"
#include "trainer/predict/prediction.h"
#include "trainer/predict/strategy.h"
#include "trainer/report/json.h"
#include "trainer/runs/run_strategy.h"
#include "trainer/runs/runs.h"
#include "trainer/train/blockwise.h"
#include "trainer/train/checkpoint.h"
#include "trainer/train/gradient_checkpointing.h"
#include "trainer/train/step_batches.h"

namespace dualpath::trainer {
namespace {

using nlohmann::json;

constexpr std::int64_t kSelectionSamples = 32;
constexpr std::size_t kSpelledSamples = 256;

/// Returns an earlier run's measurements of a part that it finished: this run had nothing to do.
LoopResult measured(const LoopResult& result, const json& before, const char* part) {
  const bool finished = result.resumed == result.steps && before.contains(part);
  return finished ? read_loop_result(before.at(part)) : result;
}

quant::SelectionBatches selection_batches(const data::Samples& samples, std::int64_t batch_size) {
  const auto chosen = data::evenly_spaced(samples.size(), kSelectionSamples);
  const auto size = static_cast<std::size_t>(batch_size);
  const auto batch = [&samples, chosen, size](std::size_t index) {
    const auto rest = std::span(chosen).subspan(index * size);
    return samples.batch(rest.first(std::min(size, rest.size())));
  };
  return {(chosen.size() + size - 1) / size, batch};
}

/// Measures the corrections in one pass over the selection text, unless a finished run left its
/// result.
std::vector<quant::SelectedStage> select(const Experiment& experiment, const Texts& texts,
                                         const RunDirectory& directory, QuantizedPath& path,
                                         ControlPath& reference) {
  const Recipe& recipe = experiment.recipe;
  if (const auto there = load_selection(directory.selection(), recipe.train.max_steps))
    return *there;
  const auto batches = selection_batches(*texts.selection, recipe.evaluate.batch_size);
  Progress progress("select", static_cast<std::int64_t>(batches.count), "batches");
  modules::Corrections candidates = path.trainables.corrections;
  auto selection =
      quant::select_corrections(experiment.model.network, batches, reference.executor,
                                path.executor, candidates, recipe.loss.distance, [&] {
                                  throw_if_interrupted();
                                  progress.advance_part(experiment.model.network.stages.size());
                                });
  for (quant::SelectedStage& stage : selection) {
    if (!std::isfinite(stage.before + stage.after))
      throw Error("select: {}: its distance to the reference is not finite", stage.stage);
    stage.kept |= !recipe.train.drop_corrections;
  }
  save_selection(directory.selection(), selection, recipe.train.max_steps);
  return selection;
}

/// Decodes the selection part by the encoder's own head.
CtcErrors spell(const Experiment& experiment, const Texts& texts, QuantizedPath& path) {
  require_one_clip_each(*texts.selection);
  const auto chosen = data::evenly_spaced(texts.selection->size(), kSpelledSamples);
  Progress progress("spell", static_cast<std::int64_t>(chosen.size()), "clips");
  const CtcErrors errors =
      ctc_errors(ctc_model(experiment, path), path.corrected, *texts.selection, chosen, [&] {
        throw_if_interrupted();
        progress.advance(1);
      });
  progress.finish();
  write_notice(
      fmt::format("spell: {:.1f} % of {} characters wrong in {} clips of the selection "
                  "part; {} of them are too short for their texts\n",
                  100.0 * errors.rate(), errors.characters, errors.clips, errors.left_out));
  return errors;
}

/// Trains block after block. Returns the whole run's result, too, with the last block's losses.
LoopResult train_blocks(const Experiment& experiment, const data::Samples& samples,
                        ControlPath& reference, QuantizedPath& path, const TrainJob& job,
                        std::vector<BlockResult>& results) {
  const Recipe& recipe = experiment.recipe;
  const std::vector<Block> blocks =
      blocks_of(experiment.model.network, path.trainables.groups, recipe.train.block_size);
  StepBatches batches(samples, recipe.train, recipe.seed, *experiment.processes);
  const auto begin = std::chrono::steady_clock::now();
  const std::vector<LoopResult> loops =
      train_blockwise(job, recipe, blocks, [&](std::int64_t pass) { return batches.batch(pass); },
                      {reference.executor, path.corrected, *path.trainables.weights});
  LoopResult all{.steps = recipe.train.max_steps, .resumed = recipe.train.max_steps};
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (blocks[i].groups.empty()) continue;
    results.push_back({blocks[i].name(), loops[i]});
    all.resumed = std::min(all.resumed, loops[i].resumed);
    all.last = loops[i].last;
  }
  all.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return all;
}

TrainingResult train(const Experiment& experiment, const Texts& texts,
                     const RunDirectory& directory) {
  const Recipe& recipe = experiment.recipe;
  Processes& processes = *experiment.processes;
  check_samples(recipe.loss, *texts.train);
  const quant::CalibrationSource source = begin_run(experiment, texts, directory);
  json before = json::object();  // the first process knows it
  processes.on_first("predict", [&] {
    before = directory.read_report().value("training", json::object());
    const Prediction prediction =
        recipe.train.strategy == Strategy::kBlockwise
            ? predict_from_config(recipe, experiment.model, experiment.plan)
            : predict(experiment, texts);
    directory.update_report("prediction", to_json(prediction));
  });
  const quant::Calibration calibration = run_calibration(experiment, texts, source, directory);
  ControlPath control(experiment);
  QuantizedPath path(experiment, calibration, control.executor);
  if (path.trainables.groups.empty())
    throw UsageError("nothing is trained: no stage has a correction, and no other rate is given");

  const auto store = feature_store(recipe, processes.size());
  const auto teacher = open_teacher(experiment, store.get());
  const auto taught = taught_samples(teacher.get(), *texts.train);
  const data::Samples& samples = taught ? *taught : *texts.train;
  const TrainJob job{"train",
                     directory.path(),
                     calibration.source.fingerprint,
                     directory.events("train"),
                     &path.trainables.corrections,
                     processes};
  TrainingResult result{.strategy = recipe.train.strategy};
  if (recipe.train.strategy == Strategy::kBlockwise) {
    result.train = measured(train_blocks(experiment, samples, control, path, job, result.blocks),
                            before, "train");
  } else {
    const ObjectiveParts parts =
        objective_parts(experiment, path, *texts.train, teacher.get(), store.get());
    const auto objective =
        run_objective(experiment, experiment.model.network, control, path, parts, processes);
    Optimizer optimizer(path.trainables.groups, recipe.train, processes);
    result.train =
        measured(train_loop(job, recipe.train, recipe.seed, samples, *objective, optimizer), before,
                 "train");
  }
  processes.on_first("select", [&] {
    if (recipe.loss.ctc > 0.0) result.ctc = spell(experiment, texts, path);
    if (!recipe.quantizes()) return;
    result.selection = select(experiment, texts, directory, path, control);
    for (const quant::SelectedStage& stage : result.selection) {
      if (!stage.kept) path.trainables.corrections.drop(stage.stage);
    }
  });
  result.parameters = path.trainables.corrections.parameter_count();
  result.correction_bytes = path.trainables.corrections.bytes();

  if (recipe.train.control && !control.trainables.groups.empty()) {
    failpoint("control.start");
    CrossEntropyObjective adaptation(
        experiment.model.network, control.corrected,
        checkpointing_of(control.trainables.groups, recipe.train.gradient_checkpointing),
        recipe.loss.modality);
    Optimizer control_optimizer(control.trainables.groups, recipe.train, processes);
    const TrainJob control_job{"control",
                               directory.control(),
                               calibration.source.fingerprint,
                               directory.events("control"),
                               &control.trainables.corrections,
                               processes};
    result.control = measured(train_loop(control_job, recipe.train, recipe.seed, *texts.train,
                                         adaptation, control_optimizer),
                              before, "control");
  }
  result.peak_resident_bytes =
      std::max(peak_resident_bytes(), before.value("peak_resident_bytes", std::int64_t{0}));
  if (const auto peak = peak_device_bytes(recipe.model.device))
    result.peak_device_bytes = std::max(*peak, before.value("peak_device_bytes", std::int64_t{0}));
  processes.on_first("report", [&] {
    directory.update_report("training", to_json(result));
    if (recipe.quantizes()) run_sqnr(experiment, texts, path, recipe.train.max_steps, directory);
    write_html_report(directory);
  });
  return result;
}

}  // namespace

TrainingResult run_training(const Experiment& experiment, const Texts& texts,
                            const RunDirectory& directory) {
  Experiment chosen = experiment;
  chosen.recipe = with_strategy(std::move(chosen.recipe), run_strategy(experiment, directory));
  return with_memory_advice(chosen, [&] { return train(chosen, texts, directory); });
}

}  // namespace dualpath::trainer
