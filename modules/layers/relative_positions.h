#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "modules/network/executor.h"

namespace dualpath::modules {

/// Sines and cosines, side by side, of the distances T - 1 (a key far behind), ..., -(T - 1).
/// Result: [1, 2T - 1, width], of x's dtype and device. x: [B, T, ...].
at::Tensor relative_positions(const at::Tensor& x, std::int64_t width);

/// scores: [B, heads, T, 2T - 1] by distance, in relative_positions()'s order. Result: [B, heads,
/// T, T] by key (Dai et al. 2019, appendix B).
at::Tensor by_key(Executor& executor, const at::Tensor& scores);

}  // namespace dualpath::modules
