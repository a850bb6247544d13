#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "quant/ops/grid_weight.h"

namespace dualpath::quant {

/// Which product takes a weight, and so how its codes lie in memory. All give the same bits.
enum class WeightKind {
  kCodes,        ///< the codes themselves: products that are exact on any device
  kOneDnn,       ///< by channel on the CPU: oneDNN's blocks, for AMX or VNNI
  kPanels,       ///< by group on the CPU: panels with their scales (kernels/grouped_product.h)
  kPaddedCodes,  ///< by channel on CUDA: codes padded to shapes that the tensor cores take
};

/// Whether the product wants its input on the unsigned grid (uint8) instead of int8.
constexpr bool takes_unsigned(WeightKind kind) {
  return kind == WeightKind::kOneDnn || kind == WeightKind::kPanels;
}

/// Kind of the fastest exact product on `device`; kCodes where there is no kernel. group_size:
/// inputs that share a scale, 0 for all.
WeightKind fastest_kind(at::Device device, std::int64_t group_size);

/// A weight as integer_linear() takes it: one operand of a product.
struct PreparedWeight {
  WeightKind kind = WeightKind::kCodes;
  at::Tensor data;   ///< what `kind` says
  at::Tensor scale;  ///< float32, [out], or by group [out, groups]

  std::int64_t outputs() const { return scale.size(0); }
  bool is_grouped() const { return scale.dim() == 2; }
};

/// Lays a weight's codes out for a kind of product. kCodes shares them; all others take as many
/// bytes again. before: what other codes of the same shape were prepared as; where it is of that
/// kind, too, its memory is written to.
PreparedWeight prepare(const GridWeight& weight, WeightKind kind, PreparedWeight before = {});

}  // namespace dualpath::quant
