#pragma once

#include <memory>
#include <string>

#include "quant/calibrate/calibration.h"
#include "trainer/experiment/experiment.h"
#include "trainer/experiment/run_directory.h"

namespace dualpath::trainer {

/// What a run has made so far, loaded from its directory.
struct TrainedPaths {
  quant::Calibration calibration;
  std::unique_ptr<ControlPath> control;      ///< the reference; trained if control_steps > 0
  std::unique_ptr<QuantizedPath> quantized;  ///< after selection
  /// Optimizer steps behind the checkpoints taken; 0: untrained, corrections are the identity.
  std::int64_t steps = 0, control_steps = 0;
};

/// No calibration is an Error saying which command makes it; one of another model, plan or text is
/// an Error, too.
TrainedPaths load_trained_paths(const Experiment& experiment, const Texts& texts,
                                const RunDirectory& directory);

/// The same where the texts are not at hand: the model must still be the run's, and checkpoints are
/// held to the calibration; RunDirectory has seen that the run is of this recipe.
TrainedPaths load_trained_paths(const Experiment& experiment, const RunDirectory& directory);

}  // namespace dualpath::trainer
