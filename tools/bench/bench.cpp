#include "tools/bench/bench.h"

#include <torch/utils.h>

#include "quant/calibrate/calibration.h"

namespace dualpath::bench {

data::Batch random_batch(std::int64_t windows, std::int64_t tokens, std::int64_t vocabulary) {
  data::Batch batch;
  batch.ids = torch::randint(vocabulary, {windows, tokens}, torch::kLong);
  batch.mask = torch::ones_like(batch.ids, torch::kBool);
  batch.targets = torch::roll(batch.ids, -1, 1);
  batch.targets.select(1, tokens - 1).fill_(data::kNoTarget);
  return batch;
}

modules::KvCache random_cache(const modules::Structure& structure, std::int64_t windows,
                              std::int64_t tokens, at::TensorOptions options) {
  modules::KvCache cache;
  for (const auto& [stage, ref] : structure.attentions) {
    const at::Tensor seen =
        torch::randn({windows, ref.num_key_value_heads, tokens, ref.head_dim}, options);
    cache.append(ref.name, seen, seen);
  }
  return cache;
}

quant::Calibration random_calibration(const trainer::Experiment& experiment) {
  const std::int64_t vocabulary = experiment.model.config.vocab_size;
  std::vector<at::Tensor> windows(4);
  for (at::Tensor& window : windows) window = torch::randint(vocabulary, {1, 128}, torch::kLong);
  return quant::calibrate(experiment.model.network, experiment.model.weights,
                          experiment.recipe.model.tensor_options(), experiment.plan, windows,
                          [] {});
}

}  // namespace dualpath::bench
