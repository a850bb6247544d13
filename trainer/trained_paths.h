#pragma once

#include <memory>

#include "trainer/experiment.h"
#include "trainer/run_directory.h"

namespace dualpath::trainer {

/// The quantized path with its calibration, newest checkpoint and selection; untrained (corrections
/// are then the identity) where there is no checkpoint. No calibration is an Error saying which
/// command makes it.
std::unique_ptr<QuantizedPath> load_quantized_path(const Experiment& experiment, const Texts& texts,
                                                   const RunDirectory& directory);

/// The control with its newest checkpoint, null where none was trained.
std::unique_ptr<ControlPath> load_control_path(const Experiment& experiment, const Texts& texts,
                                               const RunDirectory& directory);

/// Optimizer steps behind a path's newest checkpoint, 0 without one.
std::int64_t trained_steps(const std::filesystem::path& directory);

}  // namespace dualpath::trainer
