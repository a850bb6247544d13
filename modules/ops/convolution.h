#pragma once

#include "modules/network/executor.h"

namespace dualpath::modules {

/// The ref's convolution of x [B, in_channels, sizes...] by a weight of ref.weight_shape() and a
/// bias [out_channels], undefined: none; all of one dtype.
at::Tensor convolution(const ConvRef& ref, const at::Tensor& x, const at::Tensor& weight,
                       const at::Tensor& bias);

}  // namespace dualpath::modules
