#include <fmt/format.h>

#include "quant/corrections.h"
#include "quant/recipe_mistakes.h"
#include "trainer/experiment.h"
#include "trainer/recipe.h"

namespace dualpath::trainer {
namespace {

using Mistakes = std::vector<quant::RecipeMistake>;

/// Runs an action and adds the mistakes it throws.
template <class Action>
void collect(Mistakes& mistakes, Action action) {
  try {
    action();
  } catch (const quant::RecipeMistakes& thrown) {
    mistakes.insert(mistakes.end(), thrown.all().begin(), thrown.all().end());
  }
}

void check_trained_scales(const Recipe& recipe, const quant::Plan& plan) {
  const double rate = recipe.train.learning_rate.activation_scales;
  if (rate == 0.0 || plan.has_static_groups()) return;
  throw quant::RecipeMistakes(
      {{"train.learning_rate.activation_scales",
        fmt::format("expected 0, since every input is dynamic and has no scale to train, got {}",
                    rate)}});
}

}  // namespace

quant::Plan checked_plan(const Recipe& recipe, const modules::WeightedNetwork& model) {
  quant::Plan plan;
  Mistakes mistakes;
  collect(mistakes, [&] { plan = quant::make_plan(model.structure, recipe.quantize); });
  const bool is_whole = mistakes.empty();  // what a plan lacks is no other key's mistake
  collect(mistakes, [&] {
    quant::check_ignored(recipe.correction, is_whole ? plan.stages : model.structure.stages);
  });
  if (is_whole) collect(mistakes, [&] { check_trained_scales(recipe, plan); });
  collect(mistakes, [&] { check_window(recipe.data, model.config); });
  if (!mistakes.empty()) refuse(recipe, mistakes);
  return plan;
}

}  // namespace dualpath::trainer
