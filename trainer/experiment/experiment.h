#pragma once

#include <memory>
#include <optional>
#include <string>

#include "modules/execute/float_executor.h"
#include "modules/model/model.h"
#include "quant/calibrate/calibration.h"
#include "quant/execute/quantized_executor.h"
#include "quant/plan/plan.h"
#include "trainer/experiment/texts.h"
#include "trainer/experiment/trainables.h"
#include "trainer/recipe/options.h"

namespace dualpath::trainer {

/// What every command starts from: a recipe, its model opened and checked, and the plan.
struct Experiment {
  Recipe recipe;
  modules::Model model;
  quant::Plan plan;
};

/// 0: as many as the machine has cores.
void use_threads(std::int64_t wanted);

/// What is quantized and how, with all checked that recipe and model can get wrong together.
quant::Plan checked_plan(const Recipe& recipe, const modules::WeightedNetwork& model);
/// An export computes what it promises only in the dtype it was made in: another one is a
/// UsageError.
void check_export_dtype(const Recipe& recipe, const modules::Model& model);
/// The same of a model that is opened. Also calls use_threads.
Experiment open_experiment(Recipe recipe, modules::Model model);
Experiment open_experiment(Recipe recipe);

/// SHA-256 over the model's files (config, weights, processors' configs): which model a result was
/// made from. Reads them all.
std::string model_fingerprint(const modules::Model& model);
/// SHA-256 of its tokenizer.json, or what was made in its place.
std::string tokenizer_fingerprint(const modules::Model& model);
/// Bytes of those files.
std::int64_t model_bytes(const modules::Model& model);
/// The model, and over it, the plan, the compute dtype, the number of calibration windows and all
/// of the training and selection text: calibration and checkpoints are taken only for these.
/// Contents count, not paths.
quant::CalibrationSource source_of(const Experiment& experiment, const Texts& texts);

/// The quantized path of an experiment with all that may be trained on it.
struct QuantizedPath {
  /// Shares with `reference` what is frozen and stays in float.
  QuantizedPath(const Recipe& recipe, const modules::WeightedNetwork& model,
                const quant::Plan& plan, const quant::Calibration& calibration,
                const modules::FloatExecutor& reference);
  QuantizedPath(const Experiment& experiment, const quant::Calibration& calibration,
                const modules::FloatExecutor& reference)
      : QuantizedPath(experiment.recipe, experiment.model, experiment.plan, calibration,
                      reference) {}
  QuantizedPath(const QuantizedPath&) = delete;  // the executors refer to the members beside them
  QuantizedPath& operator=(const QuantizedPath&) = delete;

  Trainables trainables;
  quant::QuantizedExecutor executor;
  modules::Corrected corrected;
};

/// How the float path's weights are kept. A control that is trained needs them for both ways, whose
/// layouts differ: packed they would be there twice.
modules::Packing packing_of(const Recipe& recipe);

/// The float path: the reference, and with corrections the control.
struct ControlPath {
  explicit ControlPath(const Experiment& experiment);
  ControlPath(const ControlPath&) = delete;
  ControlPath& operator=(const ControlPath&) = delete;

  Trainables trainables;
  modules::FloatExecutor executor;
  modules::Corrected corrected;
};

}  // namespace dualpath::trainer
