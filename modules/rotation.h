#pragma once

#include <ATen/core/Tensor.h>

#include "modules/decoder_config.h"

namespace dualpath::modules {

/// Cosines and sines by position, each [B, 1, T, dim / 2] float32.
struct RotationTable {
  at::Tensor cos, sin;
};

/// positions: [B, T] int64.
RotationTable rotation_table(const Rotation& rotation, const at::Tensor& positions);

/// x: [B, heads, T, D]; dimension i is rotated with i + dim/2, in float32, and cast back.
at::Tensor rotate(const at::Tensor& x, const RotationTable& table);

}  // namespace dualpath::modules
