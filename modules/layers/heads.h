#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "modules/network/executor.h"

namespace dualpath::modules {

/// Splits heads: [B, T, heads * D] -> [B, T, heads, D].
at::Tensor split_heads(Executor& executor, const at::Tensor& x, std::int64_t heads);

/// Swaps time and heads: [B, T, heads, D] -> [B, heads, T, D], and back.
at::Tensor swap_heads(Executor& executor, const at::Tensor& x);

/// Merges heads: [B, heads, T, D] -> [B, T, heads * D].
at::Tensor merge_heads(Executor& executor, const at::Tensor& x);

}  // namespace dualpath::modules
