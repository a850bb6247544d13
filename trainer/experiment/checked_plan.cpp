#include <fmt/format.h>

#include "data/base/recipe_mistakes.h"
#include "modules/correction/corrections.h"
#include "quant/plan/planner.h"
#include "trainer/experiment/experiment.h"
#include "trainer/experiment/trainables.h"
#include "trainer/recipe/recipe.h"

namespace dualpath::trainer {
namespace {

using Mistakes = std::vector<RecipeMistake>;

/// Runs an action and adds the mistakes that it throws.
template <class Action>
void collect(Mistakes& mistakes, Action action) {
  try {
    action();
  } catch (const RecipeMistakes& thrown) {
    mistakes.insert(mistakes.end(), thrown.all().begin(), thrown.all().end());
  }
}

void check_trained_scales(const Recipe& recipe, const quant::Plan& plan) {
  const double rate = recipe.train.learning_rate.activation_scales;
  if (rate == 0.0 || plan.has_static_groups()) return;
  throw RecipeMistakes(
      {{"train.learning_rate.activation_scales",
        fmt::format("expected 0, since no input has a static scale to train, got {}", rate)}});
}

void check_trained_modules(const Recipe& recipe, const modules::Structure& structure) {
  const auto mistakes = mistakes_in_modules(recipe.train.modules, structure);
  if (!mistakes.empty()) throw RecipeMistakes(mistakes);
}

}  // namespace

quant::Plan checked_plan(const Recipe& recipe, const modules::WeightedNetwork& model) {
  quant::Plan plan;
  Mistakes mistakes;
  collect(mistakes, [&] { plan = quant::make_plan(model.structure, recipe.quantize); });
  const bool is_whole = mistakes.empty();  // parts that a plan lacks are no other key's mistake
  collect(mistakes, [&] {
    modules::check_ignored(recipe.correction, is_whole ? plan.stages : model.structure.stages);
  });
  if (is_whole) collect(mistakes, [&] { check_trained_scales(recipe, plan); });
  collect(mistakes, [&] { check_trained_modules(recipe, model.structure); });
  const auto in_task = mistakes_in_task(recipe, model);
  mistakes.insert(mistakes.end(), in_task.begin(), in_task.end());
  collect(mistakes, [&] { check_window(recipe.data, model.config); });
  if (!mistakes.empty()) refuse(recipe, mistakes);
  return plan;
}

void check_export_dtype(const Recipe& recipe, const modules::Model& model) {
  const std::string made_in(name_in(modules::kComputeDtypes, recipe.model.dtype));
  if (model.config_json.value("dtype", made_in) != made_in) {
    refuse(recipe,
           {{"model.dtype",
             fmt::format("{} was exported in {}; another dtype gives other logits",
                         model.path.string(), model.config_json["dtype"].get<std::string>())}});
  }
}

}  // namespace dualpath::trainer
