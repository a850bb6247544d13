#pragma once

#include <torch/types.h>

#include "data/base/named.h"

namespace dualpath::quant {

/// Distance of the quantized path's hidden state from the reference's, per token: relative |q -
/// fp|^2 / |fp|^2, or the design's plain squared L2 distance |q - fp|^2. The residual stream's
/// first token is hundreds of times larger than the rest; the plain distance sees little else.
enum class DistanceKind { kRelative, kSquared };
inline constexpr Named<DistanceKind> kDistances[] = {{"relative", DistanceKind::kRelative},
                                                     {"squared", DistanceKind::kSquared}};

/// Sum over the tokens where mask is true. fp, q: [B, T, H], fp without gradient; mask: [B, T]
/// bool. Result: float32 scalar, differentiable in q. Saves one difference (q's dtype) and one
/// float a token.
torch::Tensor hidden_distance(DistanceKind kind, const torch::Tensor& fp, const torch::Tensor& q,
                              const torch::Tensor& mask);

}  // namespace dualpath::quant
