#include "modules/network/batch_state.h"

namespace dualpath::modules {
namespace {

void add_tower(State& state, Modality modality, const std::optional<data::TowerBatch>& batch) {
  if (!batch) return;
  Stream& stream = state.towers[modality];
  stream.input = batch->values;
  stream.mask = batch->mask;
  stream.grid = batch->grid;
}

}  // namespace

State make_state(const data::Batch& batch) {
  State state = make_state(batch.ids, batch.mask);
  add_tower(state, Modality::kImage, batch.images);
  add_tower(state, Modality::kAudio, batch.audio);
  return state;
}

}  // namespace dualpath::modules
