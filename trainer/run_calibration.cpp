#include "data/base/failpoint.h"
#include "data/base/interrupt.h"
#include "data/base/progress.h"
#include "modules/batch_state.h"
#include "trainer/runs.h"

namespace dualpath::trainer {

namespace {

quant::CalibrationSamples calibration_samples(const Experiment& experiment, const Texts& texts) {
  if (!experiment.plan.needs_calibration()) return {};
  const auto n = static_cast<std::size_t>(experiment.recipe.quantize.calibration.num_samples);
  const std::vector<std::size_t> chosen = data::evenly_spaced(texts.train->size(), n);
  return {chosen.size(), [chosen, samples = texts.train.get()](std::size_t i) {
            return modules::make_state(samples->batch(std::span(&chosen[i], 1)));
          }};
}

}  // namespace

quant::Calibration run_calibration(const Experiment& experiment, const Texts& texts,
                                   const RunDirectory& directory) {
  const std::string fingerprint =
      run_fingerprint(experiment, texts, model_fingerprint(experiment.model));
  if (std::filesystem::exists(directory.calibration()) &&
      quant::calibration_file_fingerprint(directory.calibration()) == fingerprint) {
    return quant::load_calibration(directory.calibration(), experiment.plan);
  }
  const quant::CalibrationSamples samples = calibration_samples(experiment, texts);
  const auto runs =
      static_cast<std::int64_t>(samples.count) * quant::calibration_passes(experiment.plan);
  Progress progress("calibrate", runs, "windows");
  quant::Calibration calibration =
      quant::calibrate(experiment.model.network, experiment.model.weights,
                       experiment.recipe.model.dtype, experiment.plan, samples, [&](std::int64_t) {
                         failpoint("calibrate.window");
                         throw_if_interrupted();
                         progress.advance(1);
                       });
  calibration.fingerprint = fingerprint;
  progress.finish();
  directory.update_report("calibration", {{"windows", samples.count},
                                          {"sites", calibration.ranges.size()},
                                          {"seconds", progress.elapsed_seconds()}});
  quant::save_calibration(directory.calibration(),
                          calibration);  // last: where it lies, all of this is done
  return calibration;
}

}  // namespace dualpath::trainer
