#include "trainer/experiment/frozen_tower.h"

#include <utility>

#include "data/files/checksum.h"
#include "modules/model/encoder_network.h"

namespace dualpath::trainer {
namespace {

void add_text(Sha256& hash, std::string_view text) { hash.update(std::as_bytes(std::span(text))); }

std::string fingerprint_of(const modules::Model& model, const modules::Network& stages,
                           const std::vector<std::string>& modules, at::ScalarType dtype) {
  Sha256 hash;
  add_text(hash, model.config_json.dump());
  add_text(hash, c10::toString(dtype));
  for (const modules::Stage& stage : stages.stages) add_text(hash, stage.name + "\n");
  for (const std::string& name : model.weights->names()) {
    for (const std::string& module : modules) {
      if (!name.starts_with(module + ".")) continue;
      const at::Tensor values = model.weights->get(name).contiguous();
      add_text(hash, name);
      hash.update({static_cast<const std::byte*>(values.const_data_ptr()), values.nbytes()});
    }
  }
  return hash.hex();
}

}  // namespace

FrozenTower frozen_tower(const modules::Model& model, const modules::Tower& tower,
                         bool with_alignment, at::ScalarType dtype) {
  std::vector<std::string> modules{tower.name};
  if (with_alignment && tower.alignment) modules.push_back(tower.alignment->name);
  modules::Network stages = with_alignment ? modules::whole_tower_of(model.network, tower)
                                           : modules::encoder_of(model.network, tower);
  std::string fingerprint = fingerprint_of(model, stages, modules, dtype);
  return {tower.placeholder.modality, std::move(stages), std::move(fingerprint),
          std::holds_alternative<modules::WhisperConfig>(tower.encoder)};
}

}  // namespace dualpath::trainer
