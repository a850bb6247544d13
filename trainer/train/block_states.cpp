#include "trainer/train/block_states.h"

#include <torch/utils.h>

#include <algorithm>

#include "modules/network/batch_state.h"

namespace dualpath::trainer {
namespace {

using modules::State;

bool reaches_decoder(const modules::Network& block) {
  return std::ranges::any_of(block.stages, [](const modules::Stage& stage) {
    return stage.stream == modules::Modality::kText;
  });
}

/// Lets go of what no later block reads: inputs of towers that have begun, and towers whose states
/// the decoder's first stage has taken.
void forget(State& state, const modules::Network& behind) {
  if (reaches_decoder(behind)) return state.towers.clear();
  for (auto& [modality, stream] : state.towers) {
    if (stream.hidden.defined()) stream.input = at::Tensor();
  }
}

/// Lets both paths hold one table of their positions' rotations: it is the same in both.
void share_rotation(quant::PairedStates& states) {
  modules::RotationTable &exact = states.reference.rotation, &made = states.quantized.rotation;
  const auto same = [](const at::Tensor& a, const at::Tensor& b) {
    return a.defined() && b.defined() && a.equal(b);
  };
  if (same(exact.cos, made.cos) && same(exact.sin, made.sin)) made = exact;
}

std::int64_t bytes_of(const State& state) {
  const auto bytes = [](const at::Tensor& tensor) {
    return tensor.defined() ? static_cast<std::int64_t>(tensor.nbytes()) : 0;
  };
  std::int64_t sum = bytes(state.hidden);
  for (const auto& [modality, stream] : state.towers) sum += bytes(stream.hidden);
  return sum;
}

}  // namespace

data::Batch BlockStates::batch(std::int64_t pass) const {
  return kept_.empty() ? batches_(pass) : kept_[static_cast<std::size_t>(pass)].batch;
}

quant::PairedStates BlockStates::of(const Pass& pass) const {
  if (!kept_.empty()) return kept_[static_cast<std::size_t>(pass.number)].states;
  const State state = modules::make_state(pass.batch, device_);
  return {state, state};
}

void BlockStates::keep_reference(std::int64_t pass, const State& behind) {
  if (kept_.empty()) return;
  Kept& kept = kept_[static_cast<std::size_t>(pass)];
  kept.states.reference = behind;
  kept.reference_is_behind = true;
}

BlockStates::Kept BlockStates::start(std::int64_t pass) const {
  data::Batch batch = batches_(pass);
  const State state = modules::make_state(batch, device_);
  batch.images.reset();
  batch.audio.reset();
  batch.taught = {};
  return {std::move(batch), {state, state}};
}

void BlockStates::advance(const modules::Network& block, modules::Executor& reference,
                          modules::Executor& corrected, const std::function<void()>& done) {
  const torch::NoGradGuard no_grad;
  const bool is_first = kept_.empty();
  std::vector<Kept> behind;
  for (std::int64_t pass = 0; pass < passes_; ++pass) {
    Kept kept = is_first ? start(pass) : std::move(kept_[static_cast<std::size_t>(pass)]);
    if (!kept.reference_is_behind) modules::run(block, reference, kept.states.reference);
    kept.reference_is_behind = false;
    modules::run(block, corrected, kept.states.quantized);
    forget(kept.states.reference, block);
    forget(kept.states.quantized, block);
    if (is_first) share_rotation(kept.states);
    behind.push_back(std::move(kept));
    done();
  }
  kept_ = std::move(behind);
}

std::int64_t BlockStates::bytes() const {
  std::int64_t sum = 0;
  for (const Kept& kept : kept_)
    sum += bytes_of(kept.states.reference) + bytes_of(kept.states.quantized);
  return sum;
}

}  // namespace dualpath::trainer
