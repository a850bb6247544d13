#pragma once

#include <torch/types.h>

#include <string>

namespace dualpath::quant {

/// An operand of attention on int8 grids, one a head.
struct HeadCodes {
  torch::Tensor codes;  ///< [B, heads, T, D] float32 that hold integers from -128 to 127
  torch::Tensor scale;  ///< [heads, 1, 1] float32

  torch::Tensor dequantized(torch::ScalarType dtype) const { return (codes * scale).to(dtype); }
};

/// x: [B, heads, T, D] float; scale: [heads, 1, 1] float32. The gradient passes straight through
/// the rounding where the rounded level is in range, to x and to a trained scale. A value that is
/// not finite is an Error naming `site`.
HeadCodes quantize_heads(const torch::Tensor& x, const torch::Tensor& scale,
                         const std::string& site, int num_bits = 8);

/// modules::attention(), causal, with both products in integers. Scores are exact sums of codes
/// times query.scale * key.scale / sqrt(D); softmax is in float32. Probabilities are codes from 0
/// to 255 with a scale of 1 / 255 for every head (the first row's are 1 and 0). float32 carries the
/// sums and holds all that occur here exactly. D: 1024 at most. Result: [B, heads, T, D] float32.
torch::Tensor integer_attention(const HeadCodes& query, const HeadCodes& key,
                                const HeadCodes& value);

}  // namespace dualpath::quant
