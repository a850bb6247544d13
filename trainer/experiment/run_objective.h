#pragma once

#include <memory>
#include <optional>

#include "trainer/experiment/experiment.h"
#include "trainer/experiment/teacher.h"
#include "trainer/train/alignment_loss.h"
#include "trainer/train/ctc_objective.h"
#include "trainer/train/frozen_towers.h"
#include "trainer/train/objective.h"

namespace dualpath::trainer {

/// The parts of a float run's objective that take time to make.
struct ObjectiveParts {
  FrozenTowers frozen;                 ///< towers of which the run trains nothing
  std::optional<AnswerTokens> tokens;  ///< with loss.alignment
  TeacherTowers teacher;               ///< with loss.distillation
};
/// teacher: null if there is none. store: see FrozenTowers. Samples that teach nothing are an
/// Error.
ObjectiveParts objective_parts(const Experiment& experiment, const QuantizedPath& path,
                               const data::Samples& samples, const Teacher* teacher,
                               FeatureStore* store);

/// Throws an Error if samples have more files than the loss can train on.
void check_samples(const LossOptions& loss, const data::Samples& samples);

/// Makes the function that a run minimizes on the experiment's network or a part of it. It is the
/// paired loss of the recipe; for a float model that is trained by cross-entropy alone, that,
/// without running the reference; for towers that are trained by CTC, alignment or
/// distillation, that, without the decoder. parts: made once a run. processes: those that run it
/// together. All must outlive it.
std::unique_ptr<Objective> run_objective(const Experiment& experiment,
                                         const modules::Network& network, ControlPath& reference,
                                         QuantizedPath& path, const ObjectiveParts& parts,
                                         Processes& processes);

/// The store of frozen towers' outputs that the recipe wants; null if none. processes: those that
/// write to it.
std::unique_ptr<FeatureStore> feature_store(const Recipe& recipe, int processes);

/// The audio encoder and head of a path that is trained by CTC.
CtcModel ctc_model(const Experiment& experiment, const QuantizedPath& path);

}  // namespace dualpath::trainer
