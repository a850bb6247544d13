#pragma once

#include "modules/network/executor.h"

namespace dualpath::modules {

/// The ref's convolution of x [B, in_channels, sizes...]. weight: of ref.weight_shape(); bias:
/// [out_channels], or undefined for none. All have one dtype.
at::Tensor convolution(const ConvRef& ref, const at::Tensor& x, const at::Tensor& weight,
                       const at::Tensor& bias);

}  // namespace dualpath::modules
