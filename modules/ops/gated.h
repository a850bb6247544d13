#pragma once

#include <ATen/core/Tensor.h>

#include "modules/config/activation.h"

namespace dualpath::modules {

/// Applies the activation elementwise. The dtype is kept.
at::Tensor activated(Activation activation, const at::Tensor& x);

/// activation(gate) * up, of one shape and dtype: the product before a gated MLP's down projection
/// (Shazeer 2020). For SiLU it is one kernel each way, which rounds once and saves gate and up
/// alone.
at::Tensor gated(Activation activation, const at::Tensor& gate, const at::Tensor& up);

}  // namespace dualpath::modules
