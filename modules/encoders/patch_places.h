#pragma once

#include <ATen/core/Tensor.h>

#include "modules/encoders/patches.h"

namespace dualpath::modules {

/// Places of images' patches whose squares of merge x merge patches follow one another. grid: [B,
/// 2] int64 on the CPU, rows and columns that `merge` divides (else an Error). Result: [B, length,
/// 2] int64 on the CPU, row and column of each patch; 0 behind an image's last.
at::Tensor merged_places(const at::Tensor& grid, std::int64_t merge, std::int64_t length);

/// Executor::interpolate: bicubic, the border repeated, in positions' dtype. (Hugging Face's
/// Glm4vVisionEmbeddings.)
at::Tensor interpolated_positions(const at::Tensor& positions, data::ImageGrid own,
                                  const at::Tensor& places, const at::Tensor& grid);

}  // namespace dualpath::modules
