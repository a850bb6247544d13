#include <nlohmann/json.hpp>

#include "data/base/failpoint.h"
#include "data/process/interrupt.h"
#include "data/process/progress.h"
#include "modules/network/batch_state.h"
#include "trainer/experiment/calibrated_samples.h"
#include "trainer/experiment/same_run.h"
#include "trainer/experiment/trained_paths.h"
#include "trainer/processes/same_tensors.h"
#include "trainer/report/json.h"
#include "trainer/runs/runs.h"

namespace dualpath::trainer {

namespace {

quant::CalibrationSamples states_of(const Experiment& experiment, const Texts& texts,
                                    const std::vector<std::size_t>& chosen) {
  const at::Device device = experiment.recipe.model.device;
  return {chosen.size(),
          [chosen, samples = texts.train.get(), device](std::size_t i) {
            return modules::make_state(samples->batch(std::span(&chosen[i], 1)), device);
          },
          experiment.recipe.quantize.calibration.text_only};
}

/// Refuses a run that was made from another model, plan, text or teacher.
void refuse_other_source(const quant::CalibrationSource& source, const RunDirectory& directory) {
  if (!std::filesystem::exists(directory.calibration())) return;
  if (quant::calibration_file_source(directory.calibration()).fingerprint == source.fingerprint)
    return;
  throw Error("{}: made from another model, plan, text or teacher; --restart starts anew",
              directory.path().string());
}

/// Loads, on the first process, a calibration that exists already; begin_run() has seen that it is
/// the run's. A file from before calibrations named their model is written again.
std::optional<quant::Calibration> load_existing(const quant::CalibrationSource& source,
                                                const quant::Plan& plan,
                                                const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) return std::nullopt;
  quant::Calibration calibration = quant::load_calibration(file, plan);
  if (calibration.source == source) return calibration;
  calibration.source = source;
  quant::save_calibration(file, calibration);
  return calibration;
}

/// This process's part of the samples; nothing if it is alone.
std::optional<quant::CalibrationShare> share_of_samples(const std::shared_ptr<Processes>& processes,
                                                        std::size_t count) {
  if (processes->size() == 1) return std::nullopt;
  const auto [begin, end] = share_of(*processes, count);
  return quant::CalibrationShare{begin, end, [processes](const modules::NamedTensors& seen) {
                                   return processes->gather("calibrate", seen);
                                 }};
}

/// Writes the calibration and what making it took.
void keep(const quant::Calibration& calibration, const CalibrationWork& work,
          const RunDirectory& directory) {
  directory.update_report("calibration", to_json(work));
  quant::save_calibration(directory.calibration(),
                          calibration);  // last: if this file exists, all of this is done
  directory.settle();
}

}  // namespace

quant::CalibrationSource begin_run(const Experiment& experiment, const Texts& texts,
                                   const RunDirectory& directory) {
  require_modalities(experiment, calibrated_samples(experiment, texts));
  quant::CalibrationSource source = source_of(experiment, texts);
  require_same_run(*experiment.processes, experiment.recipe, texts, experiment.model);
  experiment.processes->on_first("start", [&] {
    refuse_other_source(source, directory);
    directory.keep_recipe();
  });
  return source;
}

quant::Calibration run_calibration(const Experiment& experiment, const Texts& texts,
                                   const RunDirectory& directory) {
  return run_calibration(experiment, texts, begin_run(experiment, texts, directory), directory);
}

quant::Calibration run_calibration(const Experiment& experiment, const Texts& texts,
                                   const quant::CalibrationSource& source,
                                   const RunDirectory& directory) {
  Processes& processes = *experiment.processes;
  const CalibratedSamples chosen = calibrated_samples(experiment, texts);
  const std::filesystem::path file = directory.calibration();
  auto found = processes.is_first() ? load_existing(source, experiment.plan, file) : std::nullopt;
  if (processes.broadcast("calibrate", found ? "found" : "") != "")
    return shared_calibration(experiment, found.value_or(quant::Calibration{}), directory);
  const quant::CalibrationSamples samples = states_of(experiment, texts, chosen.numbers);
  const auto share = share_of_samples(experiment.processes, samples.count);
  const auto runs = static_cast<std::int64_t>(share ? share->end - share->begin : samples.count) *
                    quant::calibration_passes(experiment.plan);
  Progress progress("calibrate", runs, "windows");
  quant::Calibration calibration = quant::calibrate(
      experiment.model.network, experiment.model.weights, experiment.recipe.model.tensor_options(),
      experiment.plan, samples,
      [&] {
        throw_if_interrupted();
        if (progress.advance_part(experiment.model.network.stages.size()))
          failpoint("calibrate.window");
      },
      share);
  calibration.source = source;
  progress.finish();
  require_same(processes, "scales", quant::calibration_tensors(calibration));
  const CalibrationWork work{samples.count, chosen.counts, calibration.ranges.size(),
                             progress.elapsed_seconds()};
  processes.on_first("calibrate", [&] { keep(calibration, work, directory); });
  return calibration;
}

}  // namespace dualpath::trainer
