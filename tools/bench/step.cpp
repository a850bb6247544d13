// One optimizer step of paired training, timed: the quickstart's recipe on random tokens. Speaks
// the protocol of tools/bench/steps.py: for each line "BATCH TOKENS" of stdin it takes a step and
// answers with a line {"seconds": …, "peak_bytes": …} of JSON.
//   bench_step RECIPE [KEY=VALUE...]      KEY=VALUE overrides a key of the recipe, as --set does

#include <fmt/format.h>
#include <torch/utils.h>

#include <chrono>
#include <cstdio>
#include <iostream>
#include <numeric>

#include "data/base/error.h"
#include "data/base/memory.h"
#include "quant/calibration.h"
#include "trainer/experiment.h"
#include "trainer/objective.h"
#include "trainer/recipe.h"

namespace {

using namespace dualpath;

data::Batch random_batch(std::int64_t windows, std::int64_t tokens, std::int64_t vocabulary) {
  data::Batch batch;
  batch.ids = torch::randint(vocabulary, {windows, tokens}, torch::kLong);
  batch.mask = torch::ones_like(batch.ids, torch::kBool);
  batch.targets = torch::roll(batch.ids, -1, 1);
  batch.targets.select(1, tokens - 1).fill_(data::kNoTarget);
  return batch;
}

class Bench {
 public:
  Bench(const char* recipe, const std::vector<std::string>& overrides)
      : experiment_(trainer::open_experiment(trainer::load_recipe(recipe, overrides))),
        control_(experiment_),
        path_(experiment_, calibrated(), control_.executor),
        objective_(experiment_.model.network, control_.executor, path_.corrected,
                   experiment_.recipe.loss),
        optimizer_(path_.trainables.groups, experiment_.recipe.train) {}

  /// Seconds of one step.
  double step(std::int64_t windows, std::int64_t tokens) {
    const data::Batch batch = random_batch(windows, tokens, vocabulary());
    const auto start = std::chrono::steady_clock::now();
    objective_.accumulate(batch, {batch.counted(), batch.ids.numel()});
    optimizer_.step(step_++);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

 private:
  std::int64_t vocabulary() const { return experiment_.model.config.vocab_size; }

  quant::ActivationScales calibrated() const {
    std::vector<at::Tensor> windows(4);
    for (at::Tensor& window : windows)
      window = torch::randint(vocabulary(), {1, 128}, torch::kLong);
    return quant::calibrate(experiment_.model.network, experiment_.model.weights,
                            experiment_.recipe.model.dtype, experiment_.plan, windows,
                            [](std::int64_t) {})
        .scales();
  }

  trainer::Experiment experiment_;
  trainer::ControlPath control_;
  trainer::QuantizedPath path_;
  trainer::PairedObjective objective_;
  trainer::Optimizer optimizer_;
  std::int64_t step_ = 0;
};

void serve(const char* recipe, const std::vector<std::string>& overrides) {
  torch::manual_seed(0);
  keep_freed_memory();
  Bench bench(recipe, overrides);
  std::int64_t windows = 0, tokens = 0;
  while (std::cin >> windows >> tokens) {
    restart_peak_resident();
    const double seconds = bench.step(windows, tokens);
    fmt::print("{{\"seconds\": {}, \"peak_bytes\": {}}}\n", seconds, peak_resident_bytes());
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: bench_step RECIPE [KEY=VALUE...]\n");
    return dualpath::kUsage;
  }
  try {
    serve(argv[1], {argv + 2, argv + argc});
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench_step: {}\n", error.what());
    return dualpath::kFailure;
  }
  return dualpath::kDone;
}
