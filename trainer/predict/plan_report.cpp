#include "trainer/predict/plan_report.h"

#include "quant/args_text.h"
#include "quant/stored/layout.h"
#include "trainer/predict/config_prediction.h"

namespace dualpath::trainer {
namespace {

PlanReport report_on(const Recipe& recipe, const modules::WeightedNetwork& model,
                     const quant::Plan& plan, StrategyChoice strategy, Prediction prediction) {
  const at::ScalarType dtype = recipe.model.dtype;
  const auto cache_bytes = [&](const quant::Plan& by) {
    return quant::cache_bytes_per_token(by, model.structure, dtype);
  };
  return {.plan = plan,
          .strategy = std::move(strategy),
          .prediction = std::move(prediction),
          .hidden_size = model.config.hidden_size,
          .parameters = modules::parameter_count(*model.weights),
          .fp_bytes = quant::total_bytes(quant::planned_bytes({}, *model.weights, dtype)),
          .cache_bytes = {.fp = cache_bytes({}), .quantized = cache_bytes(plan)}};
}

PlanReport report_on_model(Recipe recipe) {
  Experiment experiment = open_experiment(std::move(recipe));
  const Texts texts = load_texts(experiment.recipe.data, experiment.model);
  const StrategyChoice strategy =
      choose_strategy(experiment.recipe, experiment.model, experiment.plan);
  experiment.recipe = with_strategy(std::move(experiment.recipe), strategy.strategy);
  return report_on(experiment.recipe, experiment.model, experiment.plan, strategy,
                   predict(experiment, texts));
}

PlanReport report_on_config(Recipe recipe) {
  use_threads(1);  // there is too little to compute for more
  const modules::WeightedNetwork model = modules::open_config(recipe.model.path);
  const quant::Plan plan = checked_plan(recipe, model);
  const StrategyChoice strategy = choose_strategy(recipe, model, plan);
  recipe = with_strategy(std::move(recipe), strategy.strategy);
  PlanReport report =
      report_on(recipe, model, plan, strategy, predict_from_config(recipe, model, plan));
  report.config = recipe.model.path / "config.json";
  return report;
}

}  // namespace

PlanReport plan_report(Recipe recipe) {
  return modules::holds_config_alone(recipe.model.path) ? report_on_config(std::move(recipe))
                                                        : report_on_model(std::move(recipe));
}

std::map<std::string, std::int64_t> bytes_by_scheme(const Prediction& prediction) {
  std::map<std::string, std::int64_t> bytes;
  for (const quant::PlannedBytes& tensor : prediction.exported)
    bytes[tensor.scheme] += tensor.bytes;
  return bytes;
}

std::vector<std::string> operand_names(const quant::PlannedAttention& attention) {
  std::vector<std::string> names;
  for (const modules::Operand operand : attention.operands()) names.emplace_back(name_of(operand));
  return names;
}

std::string input_text(const std::optional<quant::QuantArgs>& inputs) {
  return inputs ? quant::summary(*inputs, quant::ArgsRole::kInputs) : "float";
}

}  // namespace dualpath::trainer
