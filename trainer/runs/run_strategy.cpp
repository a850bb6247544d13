#include "trainer/runs/run_strategy.h"

#include <fmt/format.h>

#include <optional>

#include "data/base/error.h"
#include "data/process/standard_streams.h"
#include "trainer/experiment/trained_paths.h"
#include "trainer/predict/strategy.h"
#include "trainer/train/checkpoint.h"

namespace dualpath::trainer {
namespace {

/// The strategy that a run was begun with; nothing if no step has been saved.
std::optional<Strategy> begun_strategy(const Experiment& experiment,
                                       const RunDirectory& directory) {
  if (is_trained_blockwise(*experiment.processes, directory)) return Strategy::kBlockwise;
  const std::int64_t kept = experiment.recipe.train.save_total_limit;
  if (Checkpoints(directory.path(), kept).steps().empty()) return std::nullopt;
  return Strategy::kEndToEnd;
}

}  // namespace

Strategy run_strategy(const Experiment& experiment, const RunDirectory& directory) {
  const auto& [recipe, model, plan, processes] = experiment;
  const auto begun = begun_strategy(experiment, directory);
  std::string chosen;
  processes->on_first("strategy", [&] {
    const Strategy wanted = recipe.train.strategy;
    if (begun && wanted != Strategy::kAuto && wanted != *begun)
      throw UsageError("{}: was begun with train.strategy: {}; --restart starts anew",
                       directory.path().string(), name_in(kStrategies, *begun));
    const StrategyChoice choice = begun ? StrategyChoice{.strategy = *begun}
                                        : choose_strategy(recipe, model, plan, processes->size());
    chosen = name_in(kStrategies, choice.strategy);
    if (begun) return;
    if (choice.strategy == Strategy::kBlockwise)
      write_notice(fmt::format(
          "strategy: blockwise, {}{}\n", choice.why,
          recipe.train.control ? "; the control, which is trained end to end, is left out" : ""));
  });
  chosen = processes->broadcast("strategy", chosen);
  return chosen == name_in(kStrategies, Strategy::kBlockwise) ? Strategy::kBlockwise
                                                              : Strategy::kEndToEnd;
}

}  // namespace dualpath::trainer
