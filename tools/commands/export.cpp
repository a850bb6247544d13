#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "data/base/bytes_text.h"
#include "tools/commands/command.h"
#include "trainer/recipe/recipe.h"
#include "trainer/report/json.h"
#include "trainer/runs/runs.h"

namespace dualpath::tools {
namespace {

void export_command(const RecipeArguments& arguments) {
  const trainer::Recipe recipe = arguments.load();
  if (recipe.export_.output_dir.empty())
    trainer::refuse(recipe, {{"export.output_dir", "expected a directory to write, got nothing"}});
  const OpenRun run(recipe, trainer::RunAccess::kRead);
  announce_kernel(run.experiment.recipe);
  const trainer::ExportResult result =
      trainer::run_export(run.experiment, run.texts, run.directory);
  print(to_json(result), arguments.json,
        fmt::format("{}: weights {}, corrections {}", result.path.string(),
                    bytes_text(static_cast<double>(result.weight_bytes)),
                    bytes_text(result.correction_bytes)));
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
