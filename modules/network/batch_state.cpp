#include "modules/network/batch_state.h"

#include "modules/weights/to_device.h"

namespace dualpath::modules {
namespace {

void add_tower(State& state, Modality modality, const std::optional<data::TowerBatch>& batch,
               at::Device device) {
  if (!batch) return;
  Stream& stream = state.towers[modality];
  stream.input = to_device(batch->values, device);
  if (batch->mask.defined()) stream.mask = to_device(batch->mask, device);
  stream.grid = batch->grid;
}

}  // namespace

State make_state(const data::Batch& batch, at::Device device) {
  State state = make_state(to_device(batch.ids, device), to_device(batch.mask, device));
  if (!device.is_cpu()) state.on_host = {.ids = batch.ids, .mask = batch.mask, .kinds = {}};
  add_tower(state, Modality::kImage, batch.images, device);
  add_tower(state, Modality::kAudio, batch.audio, device);
  return state;
}

}  // namespace dualpath::modules
