#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "data/base/recipe_mistakes.h"
#include "modules/correction/corrections.h"
#include "modules/model/model.h"
#include "modules/weights/weight_store.h"
#include "quant/calibrate/calibration.h"
#include "quant/plan/plan.h"
#include "trainer/recipe/options.h"
#include "trainer/train/ctc.h"
#include "trainer/train/optimizer.h"

namespace dualpath::trainer {

/// All that a run may train on one path: corrections, activation scales, norm weights, all other
/// weights (in an overlay that the reference does not see).
struct Trainables {
  modules::Corrections corrections;
  quant::ActivationScales scales;
  std::shared_ptr<modules::WeightOverlay> weights;
  std::optional<CtcHead> ctc_head = {};  ///< with loss.ctc
  std::vector<ParameterGroup> groups;
};

/// The names of the model's own weights that the recipe trains: norms, all others, or none; of the
/// modules that `train.modules` names.
std::set<std::string> trained_weights(const Recipe& recipe, const modules::WeightedNetwork& model);

/// The targets of `train.modules` that name no module, as mistakes of the recipe.
std::vector<RecipeMistake> mistakes_in_modules(const std::vector<std::string>& targets,
                                               const modules::Structure& structure);

/// The mistakes of a recipe that trains by loss.ctc, loss.alignment or loss.distillation: a
/// quantized run, a model without such towers, weights that are none of theirs, no teacher.
std::vector<RecipeMistake> mistakes_in_task(const Recipe& recipe,
                                            const modules::WeightedNetwork& model);

/// The reason for which a recipe cannot be trained block by block, "since …"; empty if it can.
std::string why_not_blockwise(const Recipe& recipe);

/// The tower of a modality; null if the model has none.
const modules::Tower* tower_of(const modules::ModelConfig& config, modules::Modality modality);

/// Trainables of the quantized path, over the smoothed weights if the plan has folds.
Trainables quantized_trainables(const Recipe& recipe, const modules::WeightedNetwork& model,
                                const quant::Plan& plan, const quant::Calibration& calibration);

/// Trainables of the control: the float model with the same corrections from the same seed, and
/// nothing else.
Trainables control_trainables(const Recipe& recipe, const modules::WeightedNetwork& model,
                              const quant::Plan& plan);

}  // namespace dualpath::trainer
