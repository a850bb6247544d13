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
#include "trainer/processes/processes.h"
#include "trainer/recipe/options.h"

namespace dualpath::trainer {

/// The start of every command: a recipe, its model opened and checked, the plan, and the processes
/// that share the work.
struct Experiment {
  Recipe recipe;
  modules::Model model;
  quant::Plan plan;
  std::shared_ptr<Processes> processes;
};

/// Sets the number of threads; 0: one a core, or this process's share of the machine's cores.
void use_threads(std::int64_t wanted, int processes_here = 1);

/// Makes the plan, and checks all mistakes that show only when recipe and model meet.
quant::Plan checked_plan(const Recipe& recipe, const modules::WeightedNetwork& model);
/// Refuses a dtype other than an export's own by a UsageError: only in its own does an export
/// compute what it promises.
void check_export_dtype(const Recipe& recipe, const modules::Model& model);
/// Opens an experiment, of a model that is open or of the recipe's. Also calls use_threads.
Experiment open_experiment(Recipe recipe, modules::Model model,
                           std::shared_ptr<Processes> processes = std::make_shared<Processes>());
Experiment open_experiment(Recipe recipe);

/// SHA-256 over the model's files (config, weights, processors' configs): names the model of a
/// result. Reads all files.
std::string model_fingerprint(const modules::Model& model);
/// SHA-256 of the model's tokenizer.json, or of the text made in its place.
std::string tokenizer_fingerprint(const modules::Model& model);
/// Bytes of the files that model_fingerprint() reads.
std::int64_t model_bytes(const modules::Model& model);
/// The source of a calibration: the model's fingerprint, and one over all that calibration depends
/// on. The latter covers model, teacher, plan, compute dtype, the number of calibration windows,
/// and all of the training and selection text. Calibration and checkpoints are taken for no other.
/// Contents count, not paths.
quant::CalibrationSource source_of(const Experiment& experiment, const Texts& texts);

/// The quantized path of an experiment with all that may be trained on it.
struct QuantizedPath {
  /// Shares frozen weights that stay in float with `reference`.
  QuantizedPath(const Recipe& recipe, const modules::WeightedNetwork& model,
                const quant::Plan& plan, const quant::Calibration& calibration,
                const modules::FloatExecutor& reference);
  QuantizedPath(const Experiment& experiment, const quant::Calibration& calibration,
                const modules::FloatExecutor& reference)
      : QuantizedPath(experiment.recipe, experiment.model, experiment.plan, calibration,
                      reference) {}
  // Not copied, since the executors refer to the members beside them.
  QuantizedPath(const QuantizedPath&) = delete;
  QuantizedPath& operator=(const QuantizedPath&) = delete;

  Trainables trainables;
  std::shared_ptr<quant::CodeStore> codes;  ///< of the trainables' weights, for executor and export
  quant::QuantizedExecutor executor;
  modules::Corrected corrected;
};

/// The layout of the float path's weights. A trained control, and a float model that is trained in
/// parts, read them forward and backward, in two layouts: prepared they would be there twice.
modules::Preparation preparation_of(const Recipe& recipe);

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
