#pragma once

#include <torch/types.h>

#include <memory>
#include <string>

#include "quant/ops/grid_weight.h"
#include "quant/ops/prepared_weight.h"

namespace dualpath::quant {

/// A planned linear's weight in all its roles in an executor.
struct QuantizedWeight {
  std::string name = {};  ///< the linear's
  /// Codes, shared with the executor's CodeStore. Null until set().
  std::shared_ptr<const GridWeight> grid = nullptr;
  PreparedWeight prepared = {};  ///< grid's codes as products take them
  torch::Tensor bias = {};       ///< [out] float32, or undefined; trained if it requires a gradient
  /// Trained values that are rounded to `grid` and get its gradient: [out, in] float32. Undefined
  /// if the weight is frozen.
  torch::Tensor source = {};

  bool is_trained() const { return source.defined() && source.requires_grad(); }
  bool trains_bias() const { return bias.defined() && bias.requires_grad(); }
  std::int64_t outputs() const { return prepared.outputs(); }
  /// Takes other codes and prepares them for products of `kind`, in the memory of the last ones if
  /// it can. Returns false if it has these codes already.
  bool set(std::shared_ptr<const GridWeight> codes, WeightKind kind);
  /// For each id (int64, [...]) its row's codes * scale in `dtype`: [..., in]. The gradient of a
  /// trained weight passes straight through the rounding.
  torch::Tensor rows(const torch::Tensor& ids, torch::ScalarType dtype) const;
};

}  // namespace dualpath::quant
