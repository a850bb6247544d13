#pragma once

#include <torch/types.h>

#include <string>

#include "quant/scheme.h"

namespace dualpath::quant {

/// A linear's weight on its integer grid, always whole. Its values are codes * scale.
struct GridWeight {
  torch::Tensor codes;  ///< [out, in] int8, less the zero point: a value is code * scale
  torch::Tensor scale;  ///< float32: [out], or [out, groups] for groups
  /// int8, shaped like scale; undefined if args.symmetric. code + zero_point is a code of
  /// args.num_bits, which an export stores.
  torch::Tensor zero_point = {};
  QuantArgs args = kWeightInt8;

  GridWeight to(at::Device device) const;
  /// codes * scale in `dtype`. Gradients flow back through these values.
  torch::Tensor dequantized(torch::ScalarType dtype) const;
  /// The rows of dequantized(dtype) that `ids` (int64, [...]) name: [..., in].
  torch::Tensor dequantized_rows(const torch::Tensor& ids, torch::ScalarType dtype) const;
};

/// Rounds the source's values in float32, whatever dtype they come in: [out, in]. `site` names the
/// weight if a value is not finite.
GridWeight quantize_weight(const torch::Tensor& source, const std::string& site,
                           const QuantArgs& args = kWeightInt8);

}  // namespace dualpath::quant
