#include "trainer/experiment/run_objective.h"

#include <utility>

#include "trainer/train/head_chunks.h"

namespace dualpath::trainer {

std::unique_ptr<Objective> run_objective(const Experiment& experiment,
                                         const modules::Network& network, ControlPath& reference,
                                         QuantizedPath& path, Processes& processes) {
  const Recipe& recipe = experiment.recipe;
  modules::GradientCheckpointing checkpointing =
      checkpointing_of(path.trainables.groups, recipe.train.gradient_checkpointing);
  if (!recipe.quantizes() && recipe.loss.kl == 0.0 && recipe.loss.hidden == 0.0)
    return std::make_unique<CrossEntropyObjective>(network, path.corrected,
                                                   std::move(checkpointing));
  return std::make_unique<PairedObjective>(
      network, reference.executor, path.corrected, recipe.loss, std::move(checkpointing),
      chunk_rows(network.head, *path.trainables.weights), processes);
}

}  // namespace dualpath::trainer
