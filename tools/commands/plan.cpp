#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "tools/commands/command.h"
#include "trainer/experiment.h"
#include "trainer/prediction.h"

namespace dualpath::tools {
namespace {

using nlohmann::json;

std::string text_of(const std::optional<quant::QuantArgs>& inputs) {
  if (!inputs) return "float";
  return fmt::format("int{} {} {}", inputs->num_bits, name_of(inputs->strategy),
                     inputs->dynamic ? "dynamic" : name_of(inputs->observer));
}

std::string text_of_weights(const quant::QuantArgs& weights) {
  const std::string size = weights.group_size > 0 ? fmt::format(" {}", weights.group_size) : "";
  return fmt::format("int{} {}{}{}", weights.num_bits, name_of(weights.strategy), size,
                     weights.symmetric ? "" : " asym");
}

json site_json(const quant::PlannedLinear& linear) {
  return {{"linear", linear.ref.name},
          {"stage", linear.stage},
          {"group", linear.group},
          {"out_features", linear.ref.out_features},
          {"in_features", linear.ref.in_features},
          {"weights", text_of_weights(linear.weights)},
          {"input_activations", text_of(linear.input_activations)}};
}

json attentions_json(const quant::Plan& plan) {
  json attentions = json::array();
  for (const quant::PlannedAttention& attention : plan.attentions) {
    attentions.push_back({{"attention", attention.ref.name},
                          {"operands", attention.operands()},
                          {"integer_products", attention.products},
                          {"scheme", text_of(attention.args)}});
  }
  return attentions;
}

json cache_json(const trainer::Experiment& experiment) {
  const auto bytes = [&](const quant::Plan& plan) {
    return quant::cache_bytes_per_token(plan, experiment.model.structure,
                                        experiment.recipe.model.dtype);
  };
  return {{"fp", bytes({})}, {"quantized", bytes(experiment.plan)}};
}

json smoothed_json(const quant::Plan& plan) {
  json groups = json::array();
  for (const quant::PlannedFold& planned : plan.folds) groups.push_back(planned.group);
  return groups;
}

json plan_json(const trainer::Experiment& experiment) {
  const trainer::Texts texts =
      trainer::load_texts(experiment.recipe.data, experiment.model.tokenizer);
  const at::ScalarType dtype = experiment.recipe.model.dtype;
  const trainer::Prediction prediction = trainer::predict(experiment, texts);
  json sites = json::array();
  for (const quant::PlannedLinear& linear : experiment.plan.linears)
    sites.push_back(site_json(linear));
  return {{"sites", sites},
          {"groups", experiment.plan.groups.size()},
          {"attentions", attentions_json(experiment.plan)},
          {"cache_bytes_per_token", cache_json(experiment)},
          {"ignored", experiment.plan.ignored},
          {"smoothed", smoothed_json(experiment.plan)},
          {"corrected_stages", experiment.plan.stages},
          {"fingerprint", experiment.plan.fingerprint()},
          {"hidden_size", experiment.model.config.hidden_size},
          {"prediction", trainer::to_json(prediction)},
          {"bytes",
           {{"fp", quant::total_bytes(quant::planned_bytes({}, *experiment.model.weights, dtype))},
            {"quantized", prediction.export_bytes}}}};
}

/// "14784 bytes (25.7 H)": of a token in a layer.
std::string saved_text(const json& bytes, const json& hidden_size) {
  return fmt::format("{:.0f} bytes ({:.1f} H)", bytes.get<double>(),
                     bytes.get<double>() / hidden_size.get<double>());
}

std::string saved_line(const json& plan) {
  const json& saved = plan["prediction"]["saved_for_backward"];
  return fmt::format("saved for backward, a token and layer: {}; with gradient_checkpointing {}\n",
                     saved_text(saved["bytes_per_token_and_layer"], plan["hidden_size"]),
                     saved_text(saved["with_gradient_checkpointing"], plan["hidden_size"]));
}

std::string table_of(const json& plan) {
  std::string table = fmt::format("{:<40} {:>13} {:<19} {:<22} {}\n", "linear", "shape", "weights",
                                  "input", "group");
  for (const json& site : plan["sites"]) {
    const std::string shape = fmt::format("{}x{}", site["out_features"].get<std::int64_t>(),
                                          site["in_features"].get<std::int64_t>());
    table +=
        fmt::format("{:<40} {:>13} {:<19} {:<22} {}\n", site["linear"].get<std::string>(), shape,
                    site["weights"].get<std::string>(),
                    site["input_activations"].get<std::string>(), site["group"].get<std::string>());
  }
  for (const json& attention : plan["attentions"]) {
    table += fmt::format("{:<40} {:>13} {:<19} {}\n", attention["attention"].get<std::string>(),
                         attention["integer_products"].get<bool>() ? "products" : "cache",
                         fmt::join(attention["operands"].get<std::vector<std::string>>(), " "),
                         attention["scheme"].get<std::string>());
  }
  table +=
      fmt::format("in float: {}\n{} tensor groups; weights {} -> {}\n",
                  fmt::join(plan["ignored"].get<std::vector<std::string>>(), ", "),
                  plan["groups"].get<std::size_t>(), bytes_text(plan["bytes"]["fp"].get<double>()),
                  bytes_text(plan["bytes"]["quantized"].get<double>()));
  if (!plan["smoothed"].empty())
    table += fmt::format("{} inputs smoothed before they are quantized\n", plan["smoothed"].size());
  const json& cache = plan["cache_bytes_per_token"];
  table +=
      fmt::format("keys and values of a token: {} -> {}\n", bytes_text(cache["fp"].get<double>()),
                  bytes_text(cache["quantized"].get<double>()));
  table += saved_line(plan);
  const json &seconds = plan["prediction"]["seconds"],
             &peak = plan["prediction"]["peak_resident_bytes"];
  return table + fmt::format(
                     "predicted here: peak memory {}; calibrate {:.0f} s, train {:.0f} s, control "
                     "{:.0f} s, "
                     "evaluate {:.0f} s",
                     peak.is_null() ? "unknown" : bytes_text(peak.get<double>()),
                     seconds["calibrate"].get<double>(), seconds["train"].get<double>(),
                     seconds["control"].get<double>(), seconds["evaluate"].get<double>());
}

void plan(const RecipeArguments& arguments) {
  const json result = plan_json(trainer::open_experiment(arguments.load()));
  print(result, arguments.json, table_of(result));
}

}  // namespace

void add_plan(CLI::App& app) {
  auto arguments = std::make_shared<RecipeArguments>();
  CLI::App* command = add_recipe_command(
      app, "plan",
      "what will be quantized and how, with bytes, memory and time, before anything runs",
      *arguments);
  command->callback([arguments] { plan(*arguments); });
}

}  // namespace dualpath::tools
