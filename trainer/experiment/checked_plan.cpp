#include <fmt/format.h>

#include <set>
#include <utility>

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

/// Refuses weights that a model has nothing to use for.
void check_loss_weights(const Recipe& recipe, const modules::Network& network) {
  Mistakes mistakes;
  const auto check = [&](modules::Modality modality, double own, double tower) {
    if (network.tower_samples.contains(modality)) return;
    for (const auto& [section, weight] : {std::pair{"modality", own}, {"towers", tower}}) {
      if (weight == 1.0) continue;
      mistakes.push_back({fmt::format("loss.{}.{}", section, name_of(modality)),
                          fmt::format("expected 1, since the model reads no {}, got {}",
                                      name_of(modality), weight)});
    }
  };
  const LossOptions& loss = recipe.loss;
  check(modules::Modality::kImage, loss.modality.image, loss.towers.image);
  check(modules::Modality::kAudio, loss.modality.audio, loss.towers.audio);
  if (!mistakes.empty()) throw RecipeMistakes(mistakes);
}

/// Refuses to train weights whose codes are made once.
void check_trained_convs(const Recipe& recipe, const modules::WeightedNetwork& model,
                         const quant::Plan& plan) {
  const std::set<std::string> trained = trained_weights(recipe, model);
  for (const quant::PlannedConv& conv : plan.convs) {
    if (trained.contains(conv.ref.weight_name()) || trained.contains(conv.ref.bias_name()))
      throw RecipeMistakes(
          {{"train.learning_rate.weights",
            fmt::format("expected 0 or other train.modules, since {} is a quantized convolution, "
                        "which keeps its weights",
                        conv.ref.name)}});
  }
}

void check_strategy(const Recipe& recipe) {
  const std::string reason = why_not_blockwise(recipe);
  if (recipe.train.strategy == Strategy::kBlockwise && !reason.empty())
    throw RecipeMistakes({{"train.strategy",
                           fmt::format("expected auto or end_to_end, {}, got blockwise", reason)}});
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
  if (is_whole) collect(mistakes, [&] { check_trained_convs(recipe, model, plan); });
  collect(mistakes, [&] { check_loss_weights(recipe, model.network); });
  collect(mistakes, [&] { check_strategy(recipe); });
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
