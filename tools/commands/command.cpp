#include "tools/commands/command.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "data/process/standard_streams.h"
#include "trainer/experiment/device.h"
#include "trainer/recipe/recipe.h"

namespace dualpath::tools {

trainer::Recipe RecipeArguments::load(const trainer::Processes& shared_with) const {
  trainer::Recipe loaded = trainer::load_recipe(recipe, overrides);
  trainer::choose_device(loaded, shared_with.local_rank());
  return loaded;
}

namespace {

/// The first process opens the directory, the others when it is open.
trainer::RunAccess in_turn(trainer::RunAccess access, trainer::Processes& processes) {
  if (processes.is_first()) return access;
  processes.on_first("start", [] {});
  return trainer::RunAccess::kFollow;
}

/// Writes into this process's log from now on; nowhere if the run lies on a read-only disk.
void write_into(const std::filesystem::path& log) {
  try {
    redirect_standard_streams(log);
  } catch (const Error&) {  // what goes wrong later is told to the first process
  }
}

}  // namespace

OpenRun::OpenRun(trainer::Recipe recipe, modules::Model model, trainer::RunAccess access,
                 std::shared_ptr<trainer::Processes> processes, EvaluateSets sets)
    : experiment(trainer::open_experiment(std::move(recipe), std::move(model), processes)),
      texts(trainer::load_texts(experiment.recipe.data, experiment.model,
                                sets == EvaluateSets::kRead ? experiment.recipe.evaluate.sets
                                                            : std::vector<trainer::EvaluateSet>())),
      directory(experiment.recipe, in_turn(access, *processes)) {
  if (processes->is_first()) {
    processes->on_first("start", [] {});
  } else {
    write_into(directory.process_log(processes->rank()));
  }
}

CLI::App* add_recipe_command(CLI::App& app, const std::string& name, const std::string& about,
                             RecipeArguments& arguments) {
  CLI::App* command = app.add_subcommand(name, about);
  command->add_option("recipe", arguments.recipe, "the recipe (YAML)")->required();
  command->add_option("--set", arguments.overrides, "override a key: section.key=value")
      ->allow_extra_args(false);
  command->add_flag("--json", arguments.json, "print the result as JSON");
  command->footer(fmt::format(
      "Example:\n  dualpath {} recipes/quickstart.yaml --set train.max_steps=50", name));
  return command;
}

void announce_kernel(const trainer::Recipe& recipe, const trainer::Processes& processes) {
  const std::string shared =
      processes.size() == 1 ? "" : fmt::format(" in each of {} processes", processes.size());
  write_notice(trainer::compute_text(recipe) + shared + "\n");
}

std::string version() { return DUALPATH_VERSION; }

void print(const nlohmann::json& result, bool json, const std::string& table) {
  constexpr auto kReplace = nlohmann::json::error_handler_t::replace;
  write_output((json ? result.dump(2, ' ', /*ensure_ascii=*/false, kReplace) : table) + "\n");
}

}  // namespace dualpath::tools
