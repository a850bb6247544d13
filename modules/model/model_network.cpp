#include "modules/model/model_network.h"

#include "modules/encoders/cmal.h"
#include "modules/encoders/conformer.h"
#include "modules/encoders/glm4v_vision.h"
#include "modules/encoders/vit.h"
#include "modules/encoders/whisper.h"
#include "modules/language/decoder.h"

namespace dualpath::modules {
namespace {

template <class... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};

Network make_encoder(const Tower& tower) {
  const std::string prefix = tower.name + ".";
  return std::visit(
      Overloaded{[&](const VitConfig& config) { return make_vit(config, prefix); },
                 [&](const Glm4vVisionConfig& config) { return make_glm4v_vision(config, prefix); },
                 [&](const ConformerConfig& config) { return make_conformer(config, prefix); },
                 [&](const WhisperConfig& config) { return make_whisper(config, prefix); }},
      tower.encoder);
}

std::int64_t width_of(const Tower& tower) {
  return std::visit([](const auto& config) { return config.hidden_size; }, tower.encoder);
}

}  // namespace

Network make_network(const ModelConfig& config) {
  Network network;
  std::vector<Placeholder> placeholders;
  for (const Tower& tower : config.towers) {
    append(network, make_encoder(tower));
    placeholders.push_back(tower.placeholder);
    if (tower.alignment)
      append(network, make_cmal(tower.alignment->config, tower.placeholder.modality,
                                width_of(tower), config.hidden_size, tower.alignment->name));
  }
  append(network, make_decoder(config, config.names, placeholders));
  return network;
}

std::map<std::string, std::string> aliases_of(const ModelConfig& config) {
  std::map<std::string, std::string> aliases;
  if (config.tie_word_embeddings)
    aliases[config.names.head + ".weight"] = config.names.body + ".embed_tokens.weight";
  for (const Tower& tower : config.towers) {
    if (const auto* conformer = std::get_if<ConformerConfig>(&tower.encoder))
      aliases.merge(conformer_aliases(*conformer, tower.name + "."));
  }
  return aliases;
}

}  // namespace dualpath::modules
