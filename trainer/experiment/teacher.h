#pragma once

#include <memory>
#include <string>

#include "data/samples/samples.h"
#include "modules/execute/float_executor.h"
#include "modules/model/model.h"
#include "trainer/experiment/experiment.h"
#include "trainer/train/distillation_objective.h"
#include "trainer/train/frozen_towers.h"

namespace dualpath::trainer {

/// The model of train.teacher, in the recipe's dtype and on its device.
struct Teacher {
  /// Refuses a model that is quantized, or whose frames stand for other seconds or places than the
  /// experiment's, by an Error. store: see FrozenTowers.
  Teacher(const Experiment& experiment, FeatureStore* store);
  Teacher(const Teacher&) = delete;
  Teacher& operator=(const Teacher&) = delete;

  modules::Model model;
  modules::FloatExecutor executor;
  TeacherTowers towers;
};

/// The samples, with their files as the teacher takes them, too; null if there is no teacher.
std::unique_ptr<data::Samples> taught_samples(const Teacher* teacher, const data::Samples& samples);

/// Opens the teacher; null without loss.distillation.
std::unique_ptr<Teacher> open_teacher(const Experiment& experiment, FeatureStore* store);

/// SHA-256 over the teacher's files, see model_fingerprint(); empty if there is none.
std::string teacher_fingerprint(const Recipe& recipe);

}  // namespace dualpath::trainer
