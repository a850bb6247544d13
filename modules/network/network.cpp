#include "modules/network/network.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <iterator>

#include "modules/weights/device_counts.h"

namespace dualpath::modules {

void run(const Stage& stage, Executor& executor, State& state) {
  if (!state.has(stage.stream)) return;
  DeviceCounts counts;
  executor.begin(stage, state);
  stage.forward(executor, state);
  executor.end(stage, state);
  counts.check();
}

at::Tensor Head::logits(Executor& executor, const at::Tensor& rows) const {
  return executor.linear({ref}, rows).front();
}

void append(Network& network, Network tower) {
  std::move(tower.stages.begin(), tower.stages.end(), std::back_inserter(network.stages));
  std::move(tower.folds.begin(), tower.folds.end(), std::back_inserter(network.folds));
  network.tower_samples.merge(tower.tower_samples);
  std::move(tower.parts_without_effect.begin(), tower.parts_without_effect.end(),
            std::back_inserter(network.parts_without_effect));
  if (tower.head.exists()) network.head = std::move(tower.head);
}

at::Tensor input_without_data(std::vector<std::int64_t> shape) {
  return at::empty(shape, at::dtype(at::kFloat).device(at::kMeta));
}

Stage norm_stage(const NormRef& norm, Modality stream) {
  return {norm.name, /*correctable=*/false,
          [norm, stream](Executor& executor, State& state) {
            at::Tensor& hidden = state.stream(stream).hidden;
            hidden = executor.norm(norm, hidden);
          },
          stream};
}

Network shortened(const Network& network, std::size_t layers) {
  Network result;
  result.head = network.head;
  for (const Stage& stage : network.stages) {
    const bool is_layer = stage.correctable && stage.stream == Modality::kText;
    if (is_layer && layers == 0) continue;
    if (is_layer) --layers;
    result.stages.push_back(stage);
  }
  return result;
}

void run(const Network& network, Executor& executor, State& state) {
  DeviceCounts counts;
  for (const Stage& stage : network.stages) run(stage, executor, state);
  counts.check();
}

}  // namespace dualpath::modules
