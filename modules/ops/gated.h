#pragma once

#include <ATen/core/Tensor.h>

#include "modules/config/activation.h"

namespace dualpath::modules {

/// Elementwise, dtype kept.
at::Tensor activated(Activation activation, const at::Tensor& x);

/// activation(gate) * up, of one shape and dtype: the product before a gated MLP's down projection
/// (Shazeer 2020). With SiLU it is one kernel each way that rounds once and keeps gate and up
/// alone.
at::Tensor gated(Activation activation, const at::Tensor& gate, const at::Tensor& up);

}  // namespace dualpath::modules
