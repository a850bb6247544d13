#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "quant/ops/input_scale.h"
#include "quant/ops/prepared_weight.h"

namespace dualpath::quant {

/// y = float(sum) * (input_scale * weight.scale) + bias, then one cast. Products of groups are
/// added from the first to the last. Every kind of weight gives the same bits. codes: [M, K], uint8
/// if takes_unsigned(weight.kind), else int8; bias: [N] float32 or undefined. Result: [M, N] of
/// `dtype`.
at::Tensor integer_linear(const at::Tensor& codes, const InputScale& input_scale,
                          const PreparedWeight& weight, const at::Tensor& bias,
                          at::ScalarType dtype);

/// Name of a device's integer kernel for weights by channel, for inspect and logs: "oneDNN (AVX-512
/// VNNI)", or a portable one. Weights by group have a kernel of our own. If the input stays in
/// float, weights are multiplied by their values.
std::string integer_kernel(Compute compute = Compute::kInteger, at::Device device = at::kCPU);

}  // namespace dualpath::quant
