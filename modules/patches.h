#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace dualpath::modules {

/// pixels: [B, C, H, W], sides that `size` divides -> [B, H / size * W / size, C * size * size], a
/// patch a row, each as the weight of a convolution with that kernel and stride lies in memory.
at::Tensor patches_of(const at::Tensor& pixels, std::int64_t size);

/// A grid of learned positions [1, rows * columns, H] at another size, by bicubic interpolation:
/// [1, new_rows * new_columns, H]. antialiased: as timm does it; else as transformers.
struct Grid2d {
  std::int64_t rows, columns;
  bool operator==(const Grid2d&) const = default;
};
at::Tensor resized_positions(const at::Tensor& positions, Grid2d from, Grid2d to, bool antialiased);

}  // namespace dualpath::modules
