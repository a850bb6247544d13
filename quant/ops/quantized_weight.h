#pragma once

#include <torch/types.h>

#include <cstdint>
#include <string>

#include "quant/scheme.h"

namespace dualpath::quant {

/// A linear's weight on its integer grid.
struct QuantizedWeight {
  torch::Tensor codes;   ///< [out, in] int8; a code's value is code * scale, no zero point
  torch::Tensor scale;   ///< float32, [out], or by group [out, groups]
  torch::Tensor bias;    ///< [out] float32, or undefined; trained if it requires a gradient
  torch::Tensor packed;  ///< as the integer kernel takes it; undefined where none is used
  QuantArgs args = kWeightInt8;
  /// Where it is asymmetric, int8 like scale: code + zero_point is a code of args.num_bits, which
  /// an export stores.
  torch::Tensor zero_point = {};
  /// What a trained weight is: [out, in] float32, undefined where it is frozen. Codes and scale are
  /// made from its values at `version`.
  torch::Tensor source = {};
  std::int64_t version = 0;

  bool is_trained() const { return source.defined() && source.requires_grad(); }
  bool is_grouped() const { return scale.dim() == 2; }
  bool trains_bias() const { return bias.defined() && bias.requires_grad(); }
  /// Of each id (int64, [...]) its row's codes * scale in `dtype`: [..., in]. Straight through the
  /// rounding to a weight that is trained.
  torch::Tensor rows(const torch::Tensor& ids, torch::ScalarType dtype) const;
  /// codes * scale in `dtype`: what the gradient flows back through.
  torch::Tensor dequantized(torch::ScalarType dtype) const;
};

/// From the source's values in float32, whatever dtype they come in. `site` names the weight if a
/// value is not finite.
QuantizedWeight quantize_weight(const torch::Tensor& source, const std::string& site,
                                const QuantArgs& args = kWeightInt8);

/// The same, by weight.args, for a weight that is trained: codes and scale are made anew if
/// `source` is another tensor or has another version than when they were made. Returns whether it
/// was so: then what was made from the codes is to be made anew, too. Who writes to a trained
/// tensor past torch must bump its version.
bool requantize_weight(const torch::Tensor& source, const std::string& site,
                       QuantizedWeight& weight);

}  // namespace dualpath::quant
