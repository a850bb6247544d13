#include <torch/utils.h>

#include "modules/network/network.h"
#include "tools/bench/bench.h"

namespace dualpath::bench {
namespace {

class TokenBench : public Bench {
 public:
  explicit TokenBench(trainer::Experiment experiment)
      : experiment_(std::move(experiment)),
        control_(experiment_),
        path_(experiment_, random_calibration(experiment_), control_.executor) {}

  Times run(std::int64_t windows, std::int64_t tokens) override {
    const torch::NoGradGuard no_grad;
    return {{"reference_s", token(control_.executor, windows, tokens)},
            {"corrected_s", token(path_.corrected, windows, tokens)}};
  }

 private:
  double token(modules::Executor& executor, std::int64_t windows, std::int64_t tokens) const {
    const at::Device device = executor.device();
    modules::KvCache cache = random_cache(experiment_.model.structure, windows, tokens,
                                          at::dtype(experiment_.recipe.model.dtype).device(device));
    const at::Tensor ids = torch::zeros({windows, 1}, at::dtype(at::kLong).device(device));
    const auto work = [&] {
      modules::State state = modules::make_state(ids, &cache);
      modules::run(experiment_.model.network, executor, state);
    };
    work();  // the cache makes room for more, once in many tokens
    return seconds(work, device);
  }

  trainer::Experiment experiment_;
  trainer::ControlPath control_;
  trainer::QuantizedPath path_;
};

}  // namespace

std::unique_ptr<Bench> token_bench(trainer::Experiment experiment) {
  return std::make_unique<TokenBench>(std::move(experiment));
}

}  // namespace dualpath::bench
