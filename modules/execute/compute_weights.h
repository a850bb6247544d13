#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "modules/ops/packed_linear.h"
#include "modules/weights/weight_store.h"

namespace dualpath::modules {

/// Whose weights are packed for products with many rows: tables' (see is_table()), where one
/// product gains by it; or all linears', too, where they meet batch after batch. What a linear's
/// packed weight was made from is not kept, so it takes no more memory, but for few products there
/// would be nothing won.
enum class Packing { kTables, kLinears };

/// Reads a store in one compute dtype, onto one device. A frozen weight that is not finite there is
/// an Error (see not_finite.h). Frozen tensors are converted once and kept (a conversion that
/// changes nothing shares the mapping); trained ones when they have changed.
class ComputeWeights {
 public:
  /// options: the dtype and the device, which is the CPU unless it says another.
  ComputeWeights(std::shared_ptr<const WeightStore> store, at::TensorOptions options,
                 Packing packing = Packing::kTables)
      : store_(std::move(store)),
        dtype_(c10::typeMetaToScalarType(options.dtype())),
        device_(options.device()),
        packing_(packing) {}
  /// Of a store over the one that `below` reads: what is not changed is shared with `below`.
  ComputeWeights(std::shared_ptr<const WeightStore> store, std::shared_ptr<ComputeWeights> below)
      : store_(std::move(store)),
        dtype_(below->dtype_),
        device_(below->device_),
        packing_(below->packing_),
        below_(std::move(below)) {}

  at::ScalarType dtype() const { return dtype_; }
  at::Device device() const { return device_; }
  Packing packing() const { return packing_; }
  const WeightStore& store() const { return *store_; }
  /// In the compute dtype.
  at::Tensor get(const std::string& name) { return get(name, dtype_); }
  /// In another dtype (norm weights are used in float32).
  at::Tensor get(const std::string& name, at::ScalarType dtype);
  /// A frozen matrix, as a linear's weight is, packed and kept so; null where packing it changes
  /// nothing, or it is trained.
  std::shared_ptr<PackedMatrix> packed(const std::string& name);

 private:
  std::shared_ptr<const WeightStore> store_;
  at::ScalarType dtype_;
  at::Device device_;
  Packing packing_;
  std::shared_ptr<ComputeWeights> below_;  // null where nothing is shared
  /// A frozen tensor on the device, in `dtype`.
  at::Tensor frozen(const std::string& key, at::ScalarType dtype) const;
  /// Of a trained tensor: made again when the tensor has changed.
  at::Tensor converted(const std::string& key, at::ScalarType dtype);

  struct Kept {
    at::Tensor value;
    at::Tensor source = {};     // the trained tensor it was made from,
    std::uint32_t version = 0;  // at this version
  };
  std::map<std::string, Kept> kept_;
  std::map<std::string, std::shared_ptr<PackedMatrix>> packed_;
};

}  // namespace dualpath::modules
