#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "tools/commands/command.h"
#include "trainer/evaluate/evaluated_row.h"
#include "trainer/runs/runs.h"

namespace dualpath::tools {
namespace {

using nlohmann::json;

std::string number(const json& value, int decimals) {
  return value.is_null() ? "-" : fmt::format("{:.{}f}", value.get<double>(), decimals);
}

std::string percent(const json& value) {
  return value.is_null() ? "-" : fmt::format("{:.2f}%", 100 * value.get<double>());
}

std::string row_line(const std::string& name, const json& row) {
  return fmt::format("{:<18} {:>10} {:>9} {:>8} {:>10} {:>10}\n", name,
                     number(row["perplexity"], 2), percent(row["accuracy"]), number(row["kl"], 4),
                     percent(row["agreement"]), bytes_text(row["bytes"].get<double>()));
}

std::string recovery_line(const std::string& row, const json& recovery) {
  std::string line = fmt::format("recovered, {}:", row);
  for (const char* measure : {"accuracy", "kl", "nll"}) {
    const json& estimate = recovery[measure];
    if (estimate.is_null()) {
      line += fmt::format("  {} - (the loss is within noise)", measure);
      continue;
    }
    line += fmt::format("  {} {:.0f} % [{:.0f}, {:.0f}]", measure,
                        100 * estimate["value"].get<double>(), 100 * estimate["low"].get<double>(),
                        100 * estimate["high"].get<double>());
  }
  return line + "\n";
}

std::string set_table(const std::string& name, const json& set) {
  std::string table = fmt::format("{:<18} {:>10} {:>9} {:>8} {:>10} {:>10}\n", name, "perplexity",
                                  "accuracy", "KL", "agreement", "bytes");
  for (const char* row : trainer::kRows) {
    if (set.contains(row)) table += row_line(row, set[row]);
  }
  const json recovered = set.value("recovery", json::object());
  for (const auto& [row, recovery] : recovered.items()) table += recovery_line(row, recovery);
  return table;
}

/// A row may come from a run that was stopped: how far each got.
std::string steps_line(const json& result) {
  std::string line;
  const json all = result.value("steps", json::object());
  for (const auto& [row, steps] : all.items())
    line += fmt::format("; {} after {} steps", row, steps.get<std::int64_t>());
  return line;
}

std::string table_of(const json& result) {
  std::string table;
  for (const auto& [name, set] : result["sets"].items()) {
    const auto tokens = set["quantized"]["tokens"].get<std::int64_t>();
    table += set_table(name, set) + fmt::format("{} tokens scored\n\n", tokens);
  }
  return table +
         fmt::format("windows of {} tokens, stride {}, a window's first token is {}; {}",
                     result["window"].get<std::int64_t>(), result["stride"].get<std::int64_t>(),
                     result["first_token"].get<std::string>(), result["dtype"].get<std::string>()) +
         steps_line(result);
}

void evaluate(const RecipeArguments& arguments) {
  const trainer::Recipe recipe = arguments.load();
  modules::Model model = modules::open_model(recipe.model.path);
  if (model.is_quantized()) {
    trainer::use_threads(recipe.num_threads);
    announce_kernel(recipe);
    const json result = trainer::run_export_evaluation(recipe, model);
    return print(result, arguments.json, table_of(result));
  }
  const OpenRun run(recipe, std::move(model), trainer::RunAccess::kRead);
  announce_kernel(recipe);
  const json result = trainer::run_evaluation(run.experiment, run.texts, run.directory);
  print(result, arguments.json, table_of(result));
}

}  // namespace

void add_evaluate(CLI::App& app) {
  auto arguments = std::make_shared<RecipeArguments>();
  CLI::App* command = add_recipe_command(
      app, "evaluate", "the table: FP, quantized, corrected and control, in and out of domain",
      *arguments);
  command->callback([arguments] { evaluate(*arguments); });
}

}  // namespace dualpath::tools
