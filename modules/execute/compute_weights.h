#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "modules/ops/prepared_linear.h"
#include "modules/weights/weight_store.h"

namespace dualpath::modules {

/// Frozen weights that are prepared for products with many rows. Tables (see is_table()) gain by it
/// in one product, all linears if they serve many batches. A linear's plain weight is not kept, so
/// preparing takes no more memory; with few products there would be nothing won.
enum class Preparation { kTables, kLinears };

/// Reads a store in one compute dtype, onto one device. A frozen weight that is not finite there is
/// an Error (see not_finite.h). Frozen tensors are converted once and kept; a conversion that
/// changes nothing shares the mapping. Trained tensors are converted when they have changed.
class ComputeWeights {
 public:
  /// options: the dtype, and the device if it is not the CPU.
  ComputeWeights(std::shared_ptr<const WeightStore> store, at::TensorOptions options,
                 Preparation preparation = Preparation::kTables);
  /// Reads a store that lies over the one `below` reads. Unchanged weights are shared with `below`.
  ComputeWeights(std::shared_ptr<const WeightStore> store, std::shared_ptr<ComputeWeights> below)
      : store_(std::move(store)),
        dtype_(below->dtype_),
        device_(below->device_),
        preparation_(below->preparation_),
        below_(std::move(below)) {}

  at::ScalarType dtype() const { return dtype_; }
  at::Device device() const { return device_; }
  Preparation preparation() const { return preparation_; }
  const WeightStore& store() const { return *store_; }
  /// The tensor in the compute dtype.
  at::Tensor get(const std::string& name) { return get(name, dtype_); }
  /// The tensor in another dtype (norm weights are used in float32).
  at::Tensor get(const std::string& name, at::ScalarType dtype);
  /// A frozen matrix, such as a linear's weight, prepared for products and kept so. Null if
  /// preparing changes nothing or the matrix is trained.
  std::shared_ptr<PreparedMatrix> prepared(const std::string& name);
  /// Keeps nothing any more, here and below; mapped pages leave memory with the last tensor.
  void release();

 private:
  std::shared_ptr<const WeightStore> store_;
  at::ScalarType dtype_;
  at::Device device_;
  Preparation preparation_;
  std::shared_ptr<ComputeWeights> below_;  // null if nothing is shared
  /// A frozen tensor on the device, in `dtype`.
  at::Tensor frozen(const std::string& key, at::ScalarType dtype) const;
  /// A trained tensor in `dtype`, converted again when the tensor has changed.
  at::Tensor converted(const std::string& key, at::ScalarType dtype);

  struct Kept {
    at::Tensor value;
    at::Tensor source = {};     // the trained tensor it was made from,
    std::uint32_t version = 0;  // at this version
  };
  std::map<std::string, Kept> kept_;
  std::map<std::string, std::shared_ptr<PreparedMatrix>> prepared_;
};

}  // namespace dualpath::modules
