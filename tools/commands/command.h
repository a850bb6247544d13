#pragma once

#include <CLI/App.hpp>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "trainer/experiment/experiment.h"
#include "trainer/experiment/run_directory.h"

namespace dualpath::tools {

/// The arguments of every command that works on a recipe.
struct RecipeArguments {
  std::string recipe;
  std::vector<std::string> overrides;
  bool json = false;
  bool restart = false;
  int processes = 1;
  int timeout = 600;  ///< seconds

  /// The recipe with its device chosen (see trainer::choose_device).
  trainer::Recipe load(const trainer::Processes& shared_with = trainer::Processes::alone()) const;
  trainer::RunAccess access() const {
    return restart ? trainer::RunAccess::kRestart : trainer::RunAccess::kMake;
  }
};

/// Whether evaluate.sets are read, too. Only an evaluation needs them.
enum class EvaluateSets { kLeft, kRead };

/// The parts that every command on a run opens. Their order puts mistakes in recipe, model and text
/// before the directory is touched.
struct OpenRun {
  OpenRun(trainer::Recipe recipe, modules::Model model, trainer::RunAccess access,
          std::shared_ptr<trainer::Processes> processes = std::make_shared<trainer::Processes>(),
          EvaluateSets sets = EvaluateSets::kLeft);
  OpenRun(const trainer::Recipe& recipe, trainer::RunAccess access,
          std::shared_ptr<trainer::Processes> processes = std::make_shared<trainer::Processes>())
      : OpenRun(recipe, modules::open_model(recipe.model.path), access, std::move(processes)) {}

  trainer::Experiment experiment;
  trainer::Texts texts;
  trainer::RunDirectory directory;
};

/// Runs a command's work in one process or in several: with --processes this program starts itself
/// so often, and torchrun and Slurm have started it already. In several, the first process alone
/// prints; the others write into the run's directory, and tell the first why they fail.
void run_together(const RecipeArguments& arguments,
                  const std::function<void(const std::shared_ptr<trainer::Processes>&)>& work);

/// Ends a process that has said all there is to say.
struct Ended {
  int exit_code;
};

/// Adds a command `dualpath <name> RECIPE [--set section.key=value]… [--json]`, with an example in
/// --help.
CLI::App* add_recipe_command(CLI::App& app, const std::string& name, const std::string& about,
                             RecipeArguments& arguments);

/// Adds --processes and --timeout.
void add_processes(CLI::App& command, RecipeArguments& arguments);

/// Prints the first line of a run to stderr: the device, the kernel of INT8 per channel (see
/// quant::integer_kernel), the number of threads and, if there are several, of processes.
void announce_kernel(const trainer::Recipe& recipe,
                     const trainer::Processes& processes = trainer::Processes::alone());

/// The project's version.
std::string version();

/// Prints a result: the object with --json, else `table`. In JSON, bytes that are not UTF-8, as
/// paths may have, are replaced. A result that cannot be written is an Error.
void print(const nlohmann::json& result, bool json, const std::string& table);

void add_plan(CLI::App& app);
void add_calibrate(CLI::App& app);
void add_train(CLI::App& app);
void add_evaluate(CLI::App& app);
void add_export(CLI::App& app);
void add_generate(CLI::App& app);
void add_inspect(CLI::App& app);
void add_data(CLI::App& app);

}  // namespace dualpath::tools
