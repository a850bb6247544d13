#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "data/base/names_in_ranges.h"
#include "quant/args_text.h"
#include "quant/stored/layout.h"
#include "tools/commands/command.h"
#include "trainer/experiment/experiment.h"
#include "trainer/predict/config_prediction.h"

namespace dualpath::tools {
namespace {

using nlohmann::json;
using Row = std::vector<std::string>;

std::string text_of(const std::optional<quant::QuantArgs>& inputs) {
  return inputs ? quant::summary(*inputs, quant::ArgsRole::kInputs) : "float";
}

json site_json(const quant::PlannedLinear& linear) {
  return {{"linear", linear.ref.name},
          {"stage", linear.stage},
          {"group", linear.group},
          {"out_features", linear.ref.out_features},
          {"in_features", linear.ref.in_features},
          {"weights", quant::summary(linear.weights, quant::ArgsRole::kWeights)},
          {"input_activations", text_of(linear.input_activations)}};
}

json attentions_json(const quant::Plan& plan) {
  json attentions = json::array();
  for (const quant::PlannedAttention& attention : plan.attentions) {
    json operands = json::array();
    for (const modules::Operand operand : attention.operands())
      operands.push_back(name_of(operand));
    attentions.push_back({{"attention", attention.ref.name},
                          {"operands", std::move(operands)},
                          {"integer_products", attention.products},
                          {"scheme", quant::summary(attention.args, quant::ArgsRole::kOperands)}});
  }
  return attentions;
}

json cache_json(const trainer::Recipe& recipe, const modules::WeightedNetwork& model,
                const quant::Plan& plan) {
  const auto bytes = [&](const quant::Plan& by) {
    return quant::cache_bytes_per_token(by, model.structure, recipe.model.dtype);
  };
  return {{"fp", bytes({})}, {"quantized", bytes(plan)}};
}

json smoothed_json(const quant::Plan& plan) {
  json groups = json::array();
  for (const quant::PlannedFold& planned : plan.folds) groups.push_back(planned.group);
  return groups;
}

/// What an export holds, by config group; null: what stays in float.
json schemes_json(const std::vector<quant::PlannedBytes>& exported) {
  std::map<std::string, std::int64_t> bytes;
  for (const quant::PlannedBytes& tensor : exported) bytes[tensor.scheme] += tensor.bytes;
  json schemes = json::array();
  for (const auto& [name, sum] : bytes)
    schemes.push_back({{"scheme", name.empty() ? json() : json(name)}, {"bytes", sum}});
  return schemes;
}

json stages_json(const quant::Plan& plan) {
  json stages = json::array();
  for (const auto& [name, width] : plan.stages)
    stages.push_back({{"name", name}, {"hidden_size", width}});
  return stages;
}

json plan_json(const trainer::Recipe& recipe, const modules::WeightedNetwork& model,
               const quant::Plan& plan, const trainer::Prediction& prediction) {
  json sites = json::array();
  for (const quant::PlannedLinear& linear : plan.linears) sites.push_back(site_json(linear));
  const auto fp = quant::planned_bytes({}, *model.weights, recipe.model.dtype);
  return {{"sites", sites},
          {"groups", plan.groups.size()},
          {"attentions", attentions_json(plan)},
          {"cache_bytes_per_token", cache_json(recipe, model, plan)},
          {"ignored", plan.ignored},
          {"smoothed", smoothed_json(plan)},
          {"corrected_stages", stages_json(plan)},
          {"fingerprint", plan.fingerprint()},
          {"hidden_size", model.config.hidden_size},
          {"parameters",
           {{"model", modules::parameter_count(*model.weights)},
            {"corrections", prediction.correction_parameters}}},
          {"prediction", trainer::to_json(prediction)},
          {"bytes",
           {{"fp", quant::total_bytes(fp)},
            {"quantized", quant::total_bytes(prediction.exported)},
            {"by_scheme", schemes_json(prediction.exported)}}},
          {"from_config_alone", nullptr}};
}

json plan_of_model(trainer::Recipe recipe) {
  const trainer::Experiment experiment = trainer::open_experiment(std::move(recipe));
  const trainer::Texts texts = trainer::load_texts(experiment.recipe.data, experiment.model);
  return plan_json(experiment.recipe, experiment.model, experiment.plan,
                   trainer::predict(experiment, texts));
}

json plan_of_config(const trainer::Recipe& recipe) {
  trainer::use_threads(1);  // there is too little to compute for more
  const modules::WeightedNetwork model = modules::open_config(recipe.model.path);
  const quant::Plan plan = trainer::checked_plan(recipe, model);
  json result = plan_json(recipe, model, plan, trainer::predict_from_config(recipe, model, plan));
  result["from_config_alone"] = (recipe.model.path / "config.json").string();
  return result;
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

std::string predicted_line(const json& prediction) {
  const json &seconds = prediction["seconds"], &peak = prediction["peak_resident_bytes"];
  return fmt::format(
      "predicted here: peak memory {}; calibrate {:.0f} s, train {:.0f} s, control {:.0f} s, "
      "evaluate {:.0f} s",
      peak.is_null() ? "unknown" : bytes_text(peak.get<double>()),
      seconds["calibrate"].get<double>(), seconds["train"].get<double>(),
      seconds["control"].get<double>(), seconds["evaluate"].get<double>());
}

/// "decoder 8.2 GB, in float 2.5 GB".
std::string schemes_text(const json& schemes) {
  std::vector<std::string> parts;
  for (const json& part : schemes) {
    parts.push_back(fmt::format(
        "{} {}", part["scheme"].is_null() ? "in float" : part["scheme"].get<std::string>(),
        bytes_text(part["bytes"].get<double>())));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

/// "134515008 parameters; corrections 345900 (0.26 %), 1.4 MB".
std::string parameters_text(const json& parameters) {
  const auto model = parameters["model"].get<double>(),
             corrections = parameters["corrections"].get<double>();
  return fmt::format("{:.0f} parameters; corrections {:.0f} ({:.2f} %), {}", model, corrections,
                     100.0 * corrections / model, bytes_text(corrections * sizeof(float)));
}

std::string config_line(const json& plan) {
  return fmt::format(
      "no weights beside {}: sizes are those of the network it describes; predicted: peak memory "
      "of train at least {}; times unknown",
      plan["from_config_alone"].get<std::string>(),
      bytes_text(plan["prediction"]["peak_resident_bytes"].get<double>()));
}

/// What a person wants to know before the run.
std::string summary_of(const json& plan, const std::vector<std::string>& in_float) {
  const json& bytes = plan["bytes"];
  std::string summary =
      fmt::format("{} tensor groups; weights {} -> {}: {}\n{}\nin float: {}\n",
                  plan["groups"].get<std::size_t>(), bytes_text(bytes["fp"].get<double>()),
                  bytes_text(bytes["quantized"].get<double>()), schemes_text(bytes["by_scheme"]),
                  parameters_text(plan["parameters"]), fmt::join(in_float, ", "));
  if (!plan["smoothed"].empty())
    summary +=
        fmt::format("{} inputs smoothed before they are quantized\n", plan["smoothed"].size());
  const json& cache = plan["cache_bytes_per_token"];
  summary +=
      fmt::format("keys and values of a token: {} -> {}\n", bytes_text(cache["fp"].get<double>()),
                  bytes_text(cache["quantized"].get<double>()));
  summary += saved_line(plan);
  return summary + (plan["from_config_alone"].is_null() ? predicted_line(plan["prediction"])
                                                        : config_line(plan));
}

/// A row for each linear and attention: name, shape, weights, input, group.
std::vector<Row> site_rows(const json& plan) {
  std::vector<Row> rows;
  for (const json& site : plan["sites"]) {
    const std::string shape = fmt::format("{}x{}", site["out_features"].get<std::int64_t>(),
                                          site["in_features"].get<std::int64_t>());
    rows.push_back(
        {site["linear"], shape, site["weights"], site["input_activations"], site["group"]});
  }
  for (const json& attention : plan["attentions"]) {
    const auto operands = attention["operands"].get<std::vector<std::string>>();
    rows.push_back({attention["attention"],
                    attention["integer_products"].get<bool>() ? "products" : "cache",
                    fmt::format("{}", fmt::join(operands, " ")), attention["scheme"], ""});
  }
  return rows;
}

std::string table_of(const std::vector<Row>& rows) {
  std::size_t width = 0;
  for (const Row& row : rows) width = std::max(width, row[0].size());
  std::string table;
  for (const Row& row : rows)
    table += fmt::format("\n{:<{}} {:>13} {:<19} {:<22} {}", row[0], width, row[1], row[2], row[3],
                         row[4]);
  return table;
}

/// all: each linear by itself, else those alike in a row.
std::string text_of_plan(const json& plan, bool all) {
  std::vector<Row> rows{{"linear", "shape", "weights", "input", "group"}};
  const std::vector<Row> sites = all ? site_rows(plan) : in_ranges(site_rows(plan));
  rows.insert(rows.end(), sites.begin(), sites.end());
  const auto in_float = plan["ignored"].get<std::vector<std::string>>();
  return summary_of(plan, all ? in_float : in_ranges(in_float)) + "\n" + table_of(rows);
}

void plan(const RecipeArguments& arguments, bool all) {
  trainer::Recipe recipe = arguments.load();
  const json result = modules::holds_config_alone(recipe.model.path)
                          ? plan_of_config(recipe)
                          : plan_of_model(std::move(recipe));
  print(result, arguments.json, text_of_plan(result, all));
}

}  // namespace

void add_plan(CLI::App& app) {
  auto arguments = std::make_shared<RecipeArguments>();
  auto all = std::make_shared<bool>(false);
  CLI::App* command = add_recipe_command(
      app, "plan",
      "what will be quantized and how, with bytes, memory and time, before anything runs",
      *arguments);
  command->add_flag("--all", *all, "list each linear by itself instead of those alike in a row");
  command->callback([arguments, all] { plan(*arguments, *all); });
}

}  // namespace dualpath::tools
