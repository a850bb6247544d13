#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "tools/commands/command.h"
#include "trainer/runs.h"

namespace dualpath::tools {
namespace {

std::string table_of(const quant::Calibration& calibration) {
  if (calibration.ranges.empty()) return "every input is dynamic: there is no scale to calibrate";
  std::string table =
      fmt::format("{:<44} {:>12} {:>12} {:>12} {:>9}\n", "site", "min", "max", "scale", "count");
  for (const auto& [site, range] : calibration.ranges) {
    table += fmt::format("{:<44} {:>12.5g} {:>12.5g} {:>12.5g} {:>9}\n", site, range.min, range.max,
                         quant::activation_scale(range), range.count);
  }
  return table;
}

nlohmann::json json_of(const quant::Calibration& calibration) {
  nlohmann::json sites = nlohmann::json::object();
  for (const auto& [site, range] : calibration.ranges) {
    sites[site] = {{"min", range.min},
                   {"max", range.max},
                   {"scale", quant::activation_scale(range)},
                   {"count", range.count}};
  }
  return {{"sites", sites}};
}

void calibrate(const RecipeArguments& arguments) {
  const OpenRun run(arguments.load(), arguments.access());
  const quant::Calibration calibration =
      trainer::run_calibration(run.experiment, run.texts, run.directory);
  print(json_of(calibration), arguments.json,
        fmt::format("{}\nwritten to {}", table_of(calibration),
                    run.directory.calibration().string()));
}

}  // namespace

void add_calibrate(CLI::App& app) {
  auto arguments = std::make_shared<RecipeArguments>();
  CLI::App* command = add_recipe_command(
      app, "calibrate", "run the observers only and write the activation scales", *arguments);
  command->add_flag("--restart", arguments->restart, "remove what the run directory holds first");
  command->callback([arguments] { calibrate(*arguments); });
}

}  // namespace dualpath::tools
