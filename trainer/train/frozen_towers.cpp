#include "trainer/train/frozen_towers.h"

#include <torch/torch.h>

#include <algorithm>
#include <optional>

#include "data/files/checksum.h"
#include "modules/weights/to_device.h"

namespace dualpath::trainer {
namespace {

using modules::Modality;
using torch::Tensor;

const std::optional<data::TowerBatch>& batch_of(const data::Batch& batch, Modality modality) {
  return modality == Modality::kImage ? batch.images : batch.audio;
}

/// One file of a tower's batch, without the padding that its neighbours ask for.
data::TowerBatch file_of(const data::TowerBatch& batch, std::int64_t index, bool sees_padding) {
  const auto row = [&](const Tensor& tensor) {
    return tensor.defined() ? tensor.narrow(0, index, 1) : Tensor();
  };
  data::TowerBatch file{row(batch.values), row(batch.mask), row(batch.grid)};
  if (!file.mask.defined() || sees_padding) return file;
  const std::int64_t real = file.mask.sum().item<std::int64_t>();
  file.values = file.values.narrow(1, 0, real);
  file.mask = file.mask.narrow(1, 0, real);
  return file;
}

void update(Sha256& hash, const Tensor& tensor) {
  for (const std::int64_t size : tensor.sizes()) hash.update(std::as_bytes(std::span(&size, 1)));
  const Tensor values = tensor.contiguous();
  hash.update({static_cast<const std::byte*>(values.const_data_ptr()), values.nbytes()});
}

std::string key_of(const FrozenTower& tower, const data::TowerBatch& file) {
  Sha256 hash;
  hash.update(std::as_bytes(std::span(tower.fingerprint)));
  for (const Tensor* tensor : {&file.values, &file.mask, &file.grid}) {
    const std::int64_t dimensions = tensor->defined() ? tensor->dim() : -1;
    hash.update(std::as_bytes(std::span(&dimensions, 1)));
    if (tensor->defined()) update(hash, *tensor);
  }
  return hash.hex();
}

TowerFeatures computed(const FrozenTower& tower, const data::TowerBatch& file,
                       modules::Executor& executor) {
  const torch::NoGradGuard no_grad;
  modules::State state;
  modules::Stream& stream = state.towers[tower.modality];
  stream.input = modules::to_device(file.values, executor.device());
  if (file.mask.defined()) stream.mask = modules::to_device(file.mask, executor.device());
  stream.grid = file.grid;
  for (const modules::Stage& stage : tower.network.stages) modules::run(stage, executor, state);
  const std::int64_t real =
      stream.mask.defined() ? stream.mask.sum().item<std::int64_t>() : stream.hidden.size(1);
  return {stream.hidden[0].narrow(0, 0, real).cpu().clone(torch::MemoryFormat::Contiguous),
          stream.grid.defined() ? stream.grid[0].clone() : Tensor(), stream.leading};
}

/// Puts files' outputs side by side, padded on the right.
void fill(modules::Stream& stream, const std::vector<TowerFeatures>& files, at::Device device) {
  std::vector<std::int64_t> lengths;
  for (const TowerFeatures& file : files) lengths.push_back(file.hidden.size(0));
  const std::int64_t longest = *std::ranges::max_element(lengths);
  std::vector<Tensor> rows, grids;
  for (const TowerFeatures& file : files) {
    rows.push_back(torch::constant_pad_nd(file.hidden, {0, 0, 0, longest - file.hidden.size(0)}));
    if (file.grid.defined()) grids.push_back(file.grid);
  }
  const Tensor mask = torch::arange(longest) < torch::tensor(lengths).unsqueeze(1);
  stream.hidden = modules::to_device(torch::stack(rows), device);
  stream.mask = modules::to_device(mask, device);
  stream.grid = grids.empty() ? Tensor() : torch::stack(grids);
  stream.leading = files.front().leading;
}

}  // namespace

TowerFeatures FrozenTowers::features(const FrozenTower& tower, const data::TowerBatch& file,
                                     modules::Executor& executor) const {
  if (!store_) return computed(tower, file, executor);
  const std::string key = key_of(tower, file);
  if (auto found = store_->find(key)) return std::move(*found);
  TowerFeatures features = computed(tower, file, executor);
  store_->keep(key, features);
  return features;
}

void FrozenTowers::run(const data::Batch& batch, modules::Executor& executor,
                       modules::State& state) const {
  for (const FrozenTower& tower : towers_) {
    const auto& files = batch_of(batch, tower.modality);
    if (!files) continue;
    std::vector<TowerFeatures> outputs;
    for (std::int64_t i = 0; i < files->values.size(0); ++i)
      outputs.push_back(features(tower, file_of(*files, i, tower.sees_padding), executor));
    fill(state.stream(tower.modality), outputs, executor.device());
  }
}

modules::Network FrozenTowers::rest(const modules::Network& network) const {
  modules::Network rest = network;
  for (const FrozenTower& tower : towers_) {
    std::erase_if(rest.stages, [&](const modules::Stage& stage) {
      return std::ranges::any_of(tower.network.stages, [&](const modules::Stage& frozen) {
        return frozen.name == stage.name;
      });
    });
  }
  return rest;
}

}  // namespace dualpath::trainer
