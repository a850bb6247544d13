#pragma once

#include <c10/util/ThreadLocalDebugInfo.h>

#include <cstdint>
#include <memory>

#include "data/samples/batch.h"
#include "trainer/experiment/experiment.h"

namespace dualpath::trainer {

/// Counts the bytes that this thread's tensors take on top of those there were: every allocation
/// while it lives, less those freed again. Exact on the CPU; a CUDA block counts with its rounded
/// size. It takes the place of torch's profiler, so the two cannot be used at once.
class AllocationWatch {
 public:
  AllocationWatch();
  std::int64_t bytes() const;

 private:
  struct Ledger;
  std::shared_ptr<Ledger> ledger_;
  c10::DebugInfoGuard guard_;
};

/// Bytes that the paired forward of a batch holds at its end: all that is saved for backward, the
/// distances' differences included, and both paths' last hidden states. Frozen weights that are
/// read for the first time would count, too: run it once before.
std::int64_t bytes_held(const modules::Network& network, const data::Batch& batch,
                        modules::Executor& reference, modules::Executor& corrected,
                        quant::DistanceKind distance,
                        const modules::GradientCheckpointing& checkpointing);

/// Bytes a token that a layer of the quantized path saves for backward.
struct SavedBytes {
  double kept = 0.0;          ///< if the layer keeps its graph
  double checkpointed = 0.0;  ///< with `train.gradient_checkpointing`
};

/// Measures the model's first layers: the bytes that the third adds to two, or the last to those
/// before.
SavedBytes saved_bytes_of_layer(const modules::WeightedNetwork& model, quant::DistanceKind distance,
                                const data::Batch& batch, modules::Executor& reference,
                                QuantizedPath& path);

}  // namespace dualpath::trainer
