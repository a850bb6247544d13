#include <torch/utils.h>

#include "tools/bench/bench.h"
#include "trainer/train/gradient_checkpointing.h"
#include "trainer/train/objective.h"
#include "trainer/train/optimizer.h"

namespace dualpath::bench {
namespace {

class StepBench : public Bench {
 public:
  explicit StepBench(trainer::Experiment experiment)
      : experiment_(std::move(experiment)),
        control_(experiment_),
        path_(experiment_, random_calibration(experiment_), control_.executor),
        objective_(experiment_.model.network, control_.executor, path_.corrected,
                   experiment_.recipe.loss,
                   trainer::checkpointing_of(path_.trainables.groups,
                                             experiment_.recipe.train.gradient_checkpointing),
                   trainer::chunk_rows(experiment_.model.network.head, *path_.trainables.weights)),
        optimizer_(path_.trainables.groups, experiment_.recipe.train) {}

  Times run(std::int64_t windows, std::int64_t tokens) override {
    const data::Batch batch = random_batch(windows, tokens, experiment_.model.config.vocab_size);
    const auto step = [&] {
      objective_.accumulate(batch, {batch.counted(), batch.ids.numel()});
      optimizer_.step(step_++);
    };
    return {{"seconds", seconds(step, experiment_.recipe.model.device)}};
  }

 private:
  trainer::Experiment experiment_;
  trainer::ControlPath control_;
  trainer::QuantizedPath path_;
  trainer::PairedObjective objective_;
  trainer::Optimizer optimizer_;
  std::int64_t step_ = 0;
};

}  // namespace

std::unique_ptr<Bench> step_bench(trainer::Experiment experiment) {
  return std::make_unique<StepBench>(std::move(experiment));
}

}  // namespace dualpath::bench
