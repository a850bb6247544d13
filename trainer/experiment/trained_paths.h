#pragma once

#include <memory>
#include <string>

#include "quant/calibrate/calibration.h"
#include "trainer/experiment/experiment.h"
#include "trainer/experiment/run_directory.h"

namespace dualpath::trainer {

/// The results of a run so far, loaded from its directory.
struct TrainedPaths {
  quant::Calibration calibration;
  std::unique_ptr<ControlPath> control;      ///< the reference; trained if control_steps > 0
  std::unique_ptr<QuantizedPath> quantized;  ///< after selection
  /// Optimizer steps behind the checkpoints loaded; 0: untrained, corrections are the identity.
  std::int64_t steps = 0, control_steps = 0;
};

/// Whether a run's directory holds blocks, so that it is trained block by block.
bool is_trained_blockwise(Processes& processes, const RunDirectory& directory);

/// Gives every process the first's calibration; the others' arguments are ignored.
quant::Calibration shared_calibration(const Experiment& experiment, quant::Calibration calibration,
                                      const RunDirectory& directory);

/// Loads the paths. A missing calibration is an Error saying which command makes it; a calibration
/// of another model, plan, text or teacher is an Error, too. The first process reads the files, and
/// gives all what they hold.
TrainedPaths load_trained_paths(const Experiment& experiment, const Texts& texts,
                                const RunDirectory& directory);

/// Loads without the texts: the model must still be the run's, and checkpoints must fit the
/// calibration. RunDirectory has checked that the run is of this recipe.
TrainedPaths load_trained_paths(const Experiment& experiment, const RunDirectory& directory);

}  // namespace dualpath::trainer
