#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "trainer/experiment/experiment.h"

namespace dualpath::trainer {

/// Peak memory of a process that trains either way, and the way that is taken.
struct StrategyChoice {
  Strategy strategy = Strategy::kEndToEnd;
  std::int64_t end_to_end = 0;  ///< bytes, at least
  std::optional<std::int64_t> blockwise =
      {};                  ///< likewise; nothing if the recipe cannot be trained so
  std::int64_t limit = 0;  ///< `memory_limit`, or what is free
  std::string why = {};    ///< "which takes 1.2 GB of the 23.0 GB that are free"

  std::int64_t peak() const {
    return strategy == Strategy::kBlockwise ? blockwise.value() : end_to_end;
  }
};

/// Chooses a recipe's strategy by what training takes at least (training_bytes()): the recipe's own
/// if it names one; with auto end to end if that fits the limit, else blockwise. It is a UsageError
/// saying what to change if neither fits, or if the recipe's own does not fit the limit it gives.
StrategyChoice choose_strategy(const Recipe& recipe, const modules::WeightedNetwork& model,
                               const quant::Plan& plan, int processes = 1);

/// The recipe as the chosen strategy trains it. The control needs the whole model in memory, so
/// none is trained block by block.
Recipe with_strategy(Recipe recipe, Strategy strategy);

}  // namespace dualpath::trainer
