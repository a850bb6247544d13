#pragma once

#include <memory>

#include "trainer/experiment/experiment.h"
#include "trainer/train/objective.h"

namespace dualpath::trainer {

/// Makes the function that a run minimizes on the experiment's network or a part of it. It is the
/// paired loss of the recipe; for a float model that is trained by cross-entropy alone, that,
/// without running the reference. processes: those that run it together. All must outlive it.
std::unique_ptr<Objective> run_objective(const Experiment& experiment,
                                         const modules::Network& network, ControlPath& reference,
                                         QuantizedPath& path, Processes& processes);

}  // namespace dualpath::trainer
