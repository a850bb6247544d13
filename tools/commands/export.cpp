#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "tools/commands/command.h"
#include "trainer/recipe/recipe.h"
#include "trainer/runs/runs.h"

namespace dualpath::tools {
namespace {

void export_command(const RecipeArguments& arguments) {
  const trainer::Recipe recipe = arguments.load();
  if (recipe.export_.output_dir.empty())
    trainer::refuse(recipe, {{"export.output_dir", "expected a directory to write, got nothing"}});
  const OpenRun run(recipe, trainer::RunAccess::kRead);
  const nlohmann::json result = trainer::run_export(run.experiment, run.texts, run.directory);
  print(result, arguments.json,
        fmt::format("{}: weights {}, corrections {}", result["path"].get<std::string>(),
                    bytes_text(result["weight_bytes"].get<double>()),
                    bytes_text(result["correction_bytes"].get<double>())));
}

}  // namespace

void add_export(CLI::App& app) {
  auto arguments = std::make_shared<RecipeArguments>();
  CLI::App* command = add_recipe_command(
      app, "export", "write the deployable directory: integer weights, scales, corrections",
      *arguments);
  command->callback([arguments] { export_command(*arguments); });
}

}  // namespace dualpath::tools
