#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "tools/commands/command.h"
#include "trainer/runs/runs.h"

namespace dualpath::tools {
namespace {

std::string summary_of(const nlohmann::json& report, const trainer::RunDirectory& directory) {
  const auto& selection = report["selection"];
  std::string text =
      fmt::format("corrections: {} parameters, {}; {} of {} stages kept\n",
                  report["parameters"].get<std::int64_t>(),
                  bytes_text(report["correction_bytes"].get<double>()),
                  selection["stages"].get<std::size_t>() - selection["dropped"].size(),
                  selection["stages"].get<std::size_t>());
  for (const auto& stage : selection["dropped"]) {
    text += fmt::format("  dropped: {} (it does not bring its stage closer to the reference)\n",
                        stage.get<std::string>());
  }
  return text + fmt::format("run directory: {}", directory.path().string());
}

void train(const RecipeArguments& arguments) {
  const OpenRun run(arguments.load(), arguments.access());
  announce_kernel(run.experiment.recipe);
  const nlohmann::json report = trainer::run_training(run.experiment, run.texts, run.directory);
  print(report, arguments.json, summary_of(report, run.directory));
}

}  // namespace

void add_train(CLI::App& app) {
  auto arguments = std::make_shared<RecipeArguments>();
  CLI::App* command = add_recipe_command(
      app, "train", "train the corrections on paired paths, then the control; resumes by itself",
      *arguments);
  command->add_flag("--restart", arguments->restart, "remove what the run directory holds first");
  command->callback([arguments] { train(*arguments); });
}

}  // namespace dualpath::tools
