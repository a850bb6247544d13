#include "trainer/predict/saved_bytes.h"

#include <c10/core/Allocator.h>

#include <algorithm>
#include <unordered_map>

#include "modules/model/encoder_network.h"
#include "modules/network/batch_state.h"
#include "quant/compare/paired_forward.h"
#include "trainer/train/gradient_checkpointing.h"

namespace dualpath::trainer {

/// Sizes of the blocks allocated since; frees of older blocks are ignored.
struct AllocationWatch::Ledger : c10::MemoryReportingInfoBase {
  void reportMemoryUsage(void* block, std::int64_t size, std::size_t, std::size_t,
                         c10::Device) override {
    if (size > 0) {
      sizes[block] = size;
    } else {
      sizes.erase(block);
    }
  }
  bool memoryProfilingEnabled() const override { return true; }

  std::unordered_map<void*, std::int64_t> sizes;
};

AllocationWatch::AllocationWatch()
    : ledger_(std::make_shared<Ledger>()), guard_(c10::DebugInfoKind::PROFILER_STATE, ledger_) {}

std::int64_t AllocationWatch::bytes() const {
  std::int64_t sum = 0;
  for (const auto& [block, size] : ledger_->sizes) sum += size;
  return sum;
}

std::int64_t bytes_held(const modules::Network& network, const data::Batch& batch,
                        modules::Executor& reference, modules::Executor& corrected,
                        quant::DistanceKind distance,
                        const modules::GradientCheckpointing& checkpointing) {
  const AllocationWatch watch;
  const quant::PairedForward held =
      quant::paired_forward(network, modules::make_state(batch, reference.device()), reference,
                            corrected, distance, checkpointing);
  return watch.bytes();
}

SavedBytes saved_bytes_of_towers(const modules::Network& network, quant::DistanceKind distance,
                                 const data::Batch& batch, modules::Executor& reference,
                                 QuantizedPath& path) {
  const modules::Network towers = modules::without_decoder(network);
  if (towers.stages.empty()) return {};
  const auto held = [&](bool checkpointed) {
    return static_cast<double>(bytes_held(towers, batch, reference, path.corrected, distance,
                                          checkpointing_of(path.trainables.groups, checkpointed)));
  };
  held(false);  // reads the weights
  return {.kept = held(false), .checkpointed = held(true)};
}

SavedBytes saved_bytes_of_layer(const modules::WeightedNetwork& model, quant::DistanceKind distance,
                                const data::Batch& batch, modules::Executor& reference,
                                QuantizedPath& path) {
  const modules::Network& whole = model.network;
  const auto layers = static_cast<std::size_t>(model.config.num_hidden_layers);
  const std::size_t deep = std::min<std::size_t>(layers, 3);
  const modules::Network one_less = modules::shortened(whole, deep - 1);
  const modules::Network network = modules::shortened(whole, deep);
  const auto held = [&](const modules::Network& of, bool checkpointed) {
    return bytes_held(of, batch, reference, path.corrected, distance,
                      checkpointing_of(path.trainables.groups, checkpointed));
  };
  const auto of_layer = [&](bool checkpointed) {
    return static_cast<double>(held(network, checkpointed) - held(one_less, checkpointed)) /
           static_cast<double>(batch.ids.numel());
  };
  held(network, false);  // reads the weights
  return {.kept = of_layer(false), .checkpointed = of_layer(true)};
}

}  // namespace dualpath::trainer
