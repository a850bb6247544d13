#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "modules/network/executor.h"

namespace dualpath::modules {

/// pixels: [B, C, H, W], sides that `size` divides -> [B, H / size * W / size, C * size * size], a
/// patch a row, each as the weight of a convolution with that kernel and stride lies in memory.
at::Tensor patches_of(Executor& executor, const at::Tensor& pixels, std::int64_t size);

/// Executor::resize; positions themselves if the sizes are the same.
at::Tensor resized_positions(const at::Tensor& positions, const PositionResize& how);

/// grid: [B, 2] int64, rows and columns of patches. Result: the same of squares of size x size of
/// them; an Error where those do not divide it.
at::Tensor merged_grid(const at::Tensor& grid, std::int64_t size);

/// The first of every `size` positions: mask [B, T] -> [B, T / size].
at::Tensor every(Executor& executor, const at::Tensor& mask, std::int64_t size);

}  // namespace dualpath::modules
