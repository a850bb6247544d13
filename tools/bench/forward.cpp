#include <torch/utils.h>

#include "modules/network/batch_state.h"
#include "tools/bench/bench.h"

namespace dualpath::bench {
namespace {

class ForwardBench : public Bench {
 public:
  explicit ForwardBench(trainer::Experiment experiment)
      : experiment_(std::move(experiment)),
        control_(experiment_),
        path_(experiment_, random_calibration(experiment_), control_.executor) {}

  Times run(std::int64_t windows, std::int64_t tokens) override {
    const torch::NoGradGuard no_grad;
    const data::Batch batch = random_batch(windows, tokens, experiment_.model.config.vocab_size);
    const auto forward = [&](modules::Executor& executor) {
      const auto work = [&] {
        modules::State state = modules::make_state(batch, executor.device());
        modules::run(experiment_.model.network, executor, state);
      };
      return seconds(work, executor.device());
    };
    return {{"reference_s", forward(control_.executor)}, {"corrected_s", forward(path_.corrected)}};
  }

 private:
  trainer::Experiment experiment_;
  trainer::ControlPath control_;
  trainer::QuantizedPath path_;
};

}  // namespace

std::unique_ptr<Bench> forward_bench(trainer::Experiment experiment) {
  return std::make_unique<ForwardBench>(std::move(experiment));
}

}  // namespace dualpath::bench
