#pragma once

#include <memory>

#include "trainer/experiment/experiment.h"
#include "trainer/train/ctc_objective.h"
#include "trainer/train/frozen_towers.h"
#include "trainer/train/objective.h"

namespace dualpath::trainer {

/// Makes the function that a run minimizes on the experiment's network or a part of it. It is the
/// paired loss of the recipe; for a float model that is trained by cross-entropy alone, that,
/// without running the reference; for a tower that is trained by CTC, that, without the decoder.
/// frozen: the towers that cross-entropy need not run again. processes: those that run it together.
/// All must outlive it.
std::unique_ptr<Objective> run_objective(const Experiment& experiment,
                                         const modules::Network& network, ControlPath& reference,
                                         QuantizedPath& path, const FrozenTowers& frozen,
                                         Processes& processes);

/// The towers of which a run by cross-entropy trains nothing; none for other runs. store: see
/// FrozenTowers.
FrozenTowers frozen_towers(const Experiment& experiment, const QuantizedPath& path,
                           FeatureStore* store);

/// The store of frozen towers' outputs that the recipe wants; null if none. processes: those that
/// write to it.
std::unique_ptr<FeatureStore> feature_store(const Recipe& recipe, int processes);

/// The audio encoder and head of a path that is trained by CTC.
CtcModel ctc_model(const Experiment& experiment, const QuantizedPath& path);

}  // namespace dualpath::trainer
