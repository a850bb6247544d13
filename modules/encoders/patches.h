#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "data/media/image.h"

namespace dualpath::modules {

/// pixels: [B, C, H, W], sides that `size` divides -> [B, H / size * W / size, C * size * size], a
/// patch a row, each as the weight of a convolution with that kernel and stride lies in memory.
at::Tensor patches_of(const at::Tensor& pixels, std::int64_t size);

/// A grid of learned positions [1, rows * columns, H] at another size, by bicubic interpolation:
/// [1, new_rows * new_columns, H]. antialiased: as timm does it; else as transformers.
at::Tensor resized_positions(const at::Tensor& positions, data::ImageGrid from, data::ImageGrid to,
                             bool antialiased);

/// grid: [B, 2] int64, rows and columns of patches. Result: the same of squares of size x size of
/// them; an Error where those do not divide it.
at::Tensor merged_grid(const at::Tensor& grid, std::int64_t size);

}  // namespace dualpath::modules
