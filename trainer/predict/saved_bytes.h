#pragma once

#include <c10/util/ThreadLocalDebugInfo.h>

#include <cstdint>
#include <memory>

#include "data/samples/batch.h"
#include "modules/execute/gradient_checkpointing.h"
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

/// Bytes that the quantized path saves for backward; of a layer, a token's.
struct SavedBytes {
  double kept = 0.0;          ///< if layers keep their graphs
  double checkpointed = 0.0;  ///< with `train.gradient_checkpointing`
};

/// Bytes that the towers of the quantized path save for backward of one batch's pictures and clips;
/// 0 without towers.
SavedBytes saved_bytes_of_towers(const modules::Network& network, quant::DistanceKind distance,
                                 const data::Batch& batch, modules::Executor& reference,
                                 QuantizedPath& path);

/// Measures the model's first layers: the bytes that the third adds to two, or the last to those
/// before.
SavedBytes saved_bytes_of_layer(const modules::WeightedNetwork& model, quant::DistanceKind distance,
                                const data::Batch& batch, modules::Executor& reference,
                                QuantizedPath& path);

}  // namespace dualpath::trainer
