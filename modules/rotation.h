#pragma once

#include <ATen/core/Tensor.h>

#include "modules/decoder_config.h"
#include "modules/state.h"

namespace dualpath::modules {

/// positions: [B, T] int64.
RotationTable rotation_table(const Rotation& rotation, const at::Tensor& positions);

/// x: [B, T, heads, D]; channel i of a head is turned with channel i + D / 2, in float32, and cast
/// back. Differentiable in x; keeps nothing but the table.
at::Tensor rotate(const at::Tensor& x, const RotationTable& table);

}  // namespace dualpath::modules
