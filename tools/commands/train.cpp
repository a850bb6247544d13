#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "data/base/bytes_text.h"
#include "tools/commands/command.h"
#include "trainer/report/json.h"
#include "trainer/runs/runs.h"

namespace dualpath::tools {
namespace {

std::string summary_of(const trainer::TrainingResult& result,
                       const trainer::RunDirectory& directory) {
  const auto kept = std::ranges::count_if(result.selection, &quant::SelectedStage::kept);
  std::string text;
  if (!result.selection.empty()) {
    text = fmt::format("corrections: {} parameters, {}; {} of {} stages kept\n", result.parameters,
                       bytes_text(result.correction_bytes), kept, result.selection.size());
  }
  for (const quant::SelectedStage& stage : result.selection) {
    if (!stage.kept)
      text += fmt::format("  dropped: {} (it does not bring its stage closer to the reference)\n",
                          stage.stage);
  }
  return text + fmt::format("run directory: {}", directory.path().string());
}

void train(const RecipeArguments& arguments) {
  run_together(arguments, [&](const auto& processes) {
    const OpenRun run(arguments.load(*processes), arguments.access(), processes);
    announce_kernel(run.experiment.recipe, *processes);
    const trainer::TrainingResult result =
        trainer::run_training(run.experiment, run.texts, run.directory);
    print(to_json(result), arguments.json, summary_of(result, run.directory));
  });
}

}  // namespace

void add_train(CLI::App& app) {
  auto arguments = std::make_shared<RecipeArguments>();
  CLI::App* command = add_recipe_command(
      app, "train", "train the corrections on paired paths, then the control; resumes by itself",
      *arguments);
  command->add_flag("--restart", arguments->restart, "remove what the run directory holds first");
  add_processes(*command, *arguments);
  command->callback([arguments] { train(*arguments); });
}

}  // namespace dualpath::tools
