#include "modules/model/encoder_network.h"

#include <algorithm>
#include <iterator>

namespace dualpath::modules {

Network whole_tower_of(const Network& network, const Tower& tower) {
  const Modality modality = tower.placeholder.modality;
  Network stages;
  std::ranges::copy_if(network.stages, std::back_inserter(stages.stages),
                       [&](const Stage& stage) { return stage.stream == modality; });
  stages.tower_samples[modality] = network.tower_samples.at(modality);
  return stages;
}

Network encoder_of(const Network& network, const Tower& tower) {
  Network encoder = whole_tower_of(network, tower);
  if (tower.alignment)
    std::erase_if(encoder.stages,
                  [&](const Stage& stage) { return stage.name == tower.alignment->name; });
  return encoder;
}

Network without_decoder(Network network) {
  std::erase_if(network.stages, [](const Stage& stage) { return stage.stream == Modality::kText; });
  return network;
}

std::int64_t encoder_width(const Tower& tower) {
  return std::visit([](const auto& config) { return config.hidden_size; }, tower.encoder);
}

}  // namespace dualpath::modules
