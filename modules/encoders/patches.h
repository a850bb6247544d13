#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "modules/network/executor.h"

namespace dualpath::modules {

/// Cuts pixels [B, C, H, W], whose sides `size` divides, into patches, one a row: [B, H / size * W
/// / size, C * size * size]. Each lies in memory like the weight of a convolution with that kernel
/// and stride.
at::Tensor patches_of(Executor& executor, const at::Tensor& pixels, std::int64_t size);

/// Executor::resize: returns positions themselves if the sizes are the same.
at::Tensor resized_positions(const at::Tensor& positions, const PositionResize& how);

/// Rows and columns of merged squares, each of size x size patches. grid: [B, 2] int64, in patches.
/// An Error if `size` does not divide them.
at::Tensor merged_grid(const at::Tensor& grid, std::int64_t size);

/// Takes the first of every `size` positions: mask [B, T] -> [B, T / size].
at::Tensor every(Executor& executor, const at::Tensor& mask, std::int64_t size);

}  // namespace dualpath::modules
