#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "quant/ops/grid_weight.h"

namespace dualpath::quant {

/// The product that a weight is prepared for, and so its codes' layout. All give the same bits.
enum class WeightKind {
  kCodes,        ///< the codes themselves: products that are exact on any device
  kOneDnn,       ///< weights by channel on the CPU: oneDNN's blocks, for AMX or VNNI
  kPanels,       ///< weights by group on the CPU: panels with scales (kernels/grouped_product.h)
  kPaddedCodes,  ///< weights by channel on CUDA: padded to shapes that tensor cores take
};

/// Whether the product takes its input on the unsigned grid (uint8) instead of int8.
constexpr bool takes_unsigned(WeightKind kind) {
  return kind == WeightKind::kOneDnn || kind == WeightKind::kPanels;
}

/// The fastest exact product's kind on `device`; kCodes if there is no kernel. group_size: inputs
/// that share a scale, 0 for all.
WeightKind fastest_kind(at::Device device, std::int64_t group_size);

/// A weight as integer_linear() takes it: one operand of a product.
struct PreparedWeight {
  WeightKind kind = WeightKind::kCodes;
  at::Tensor data;   ///< in the layout of `kind`
  at::Tensor scale;  ///< float32: [out], or [out, groups] for groups

  std::int64_t outputs() const { return scale.size(0); }
  bool is_grouped() const { return scale.dim() == 2; }
};

/// Prepares a weight's codes for a kind of product. kCodes shares them; all others take as many
/// bytes again. before: a prepared weight of the same shape; if its kind is the same, too, its
/// memory is overwritten.
PreparedWeight prepare(const GridWeight& weight, WeightKind kind, PreparedWeight before = {});

}  // namespace dualpath::quant
