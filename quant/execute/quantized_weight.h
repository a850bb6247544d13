#pragma once

#include <torch/types.h>

#include <memory>
#include <string>

#include "quant/ops/grid_weight.h"
#include "quant/ops/prepared_weight.h"

namespace dualpath::quant {

/// A planned linear's weight in all its roles on a path.
struct QuantizedWeight {
  std::string name = {};  ///< the linear's
  /// Its codes, shared with the path's CodeStore; null until set().
  std::shared_ptr<const GridWeight> grid = nullptr;
  PreparedWeight prepared = {};  ///< the same codes as products take them
  torch::Tensor bias = {};       ///< [out] float32, or undefined; trained if it requires a gradient
  /// What is rounded to `grid` and gets its gradient: [out, in] float32; undefined if the weight is
  /// frozen.
  torch::Tensor source = {};

  bool is_trained() const { return source.defined() && source.requires_grad(); }
  bool trains_bias() const { return bias.defined() && bias.requires_grad(); }
  std::int64_t outputs() const { return prepared.outputs(); }
  /// Takes other codes and prepares them for products of `kind`, in the memory of the last ones
  /// where it can. Returns false if the codes are those that it has.
  bool set(std::shared_ptr<const GridWeight> codes, WeightKind kind);
  /// For each id (int64, [...]) its row's codes * scale in `dtype`: [..., in]. The gradient passes
  /// straight through the rounding to a weight that is trained.
  torch::Tensor rows(const torch::Tensor& ids, torch::ScalarType dtype) const;
};

}  // namespace dualpath::quant
