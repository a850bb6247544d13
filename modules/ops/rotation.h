#pragma once

#include <ATen/core/Tensor.h>

#include "modules/config/decoder_config.h"
#include "modules/network/state.h"

namespace dualpath::modules {

/// positions: [B, T] int64, or with sections [3, B, T].
RotationTable rotation_table(const Rotation& rotation, const at::Tensor& positions);

/// x: [B, T, heads, D]. Turns the first dimensions of a head, as many as the table has, in pairs.
/// They turn in float32 and are cast back; the others stay. Differentiable in x. Saves nothing but
/// the table.
at::Tensor rotate(const at::Tensor& x, const RotationTable& table);

}  // namespace dualpath::modules
