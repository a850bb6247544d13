#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "quant/ops/input_scale.h"
#include "quant/ops/prepared_weight.h"

namespace dualpath::quant {

/// y = float(sum) * (input_scale * weight.scale) (by group, such products added from the first to
/// the last), + bias, then one cast: the same bits by every kind of weight. codes: [M, K], uint8
/// where takes_unsigned(weight.kind), else int8; bias: [N] float32 or undefined. Result: [M, N] of
/// `dtype`.
at::Tensor integer_linear(const at::Tensor& codes, const InputScale& input_scale,
                          const PreparedWeight& weight, const at::Tensor& bias,
                          at::ScalarType dtype);

/// What multiplies weights per channel in integers on the CPU, for inspect and logs: "oneDNN
/// (AVX-512 VNNI)", or a portable way. Weights by group have a kernel of our own, and those whose
/// input stays in float are multiplied by their values.
std::string integer_kernel(Compute compute = Compute::kInteger);

}  // namespace dualpath::quant
