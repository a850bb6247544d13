#pragma once

#include <exception>
#include <string>
#include <vector>

#include "data/base/error.h"
#include "trainer/experiment/experiment.h"
#include "trainer/processes/out_of_memory.h"

namespace dualpath::trainer {

/// A change of a recipe that makes training take less memory, and by how much it does.
struct MemorySaving {
  std::string change;  ///< "train.gradient_checkpointing=true"
  double bytes = 0.0;
};

/// The changes that help, the most helpful first, by the plan's model of a config
/// (training_bytes()): gradient checkpointing, half the batch with twice the accumulation, half the
/// window, an optimizer whose state is divided, no trained weights. processes: those that share the
/// run.
std::vector<MemorySaving> memory_savings(const Recipe& recipe,
                                         const modules::WeightedNetwork& model,
                                         const quant::Plan& plan, int processes = 1);

/// Says what was asked for in vain and, if there is memory to find it out, what training takes at
/// least, and what to change.
std::string out_of_memory_text(const std::exception& error, const Experiment& experiment);

/// Returns work(). If it runs out of memory, all that it held is let go, and an Error says what to
/// lower and by how much.
template <class Work>
auto with_memory_advice(const Experiment& experiment, const Work& work) {
  try {
    return work();
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    if (!is_out_of_memory(error)) throw;
    throw Error("{}", out_of_memory_text(error, experiment));
  }
}

}  // namespace dualpath::trainer
