#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "quant/quantized_group.h"
#include "quant/scheme.h"

namespace dualpath::quant {

/// Whether planned weights are kept packed here, beside their codes.
bool packs_weights(Compute compute);

/// Packs a weight's codes for the processor's integer kernel where there is one (CPU: oneDNN
/// through ATen, by AMX or VNNI). Elsewhere nothing happens, and integer_linear takes the portable
/// way.
void pack(QuantizedWeight& weight);

/// y = float(sum) * (input_scale * weight.scale) + bias, then one cast: the same bits by every
/// kernel. codes: [M, K], on the unsigned grid (uint8) where the weight is packed, else int8.
/// Result: [M, N] of `dtype`.
at::Tensor integer_linear(const at::Tensor& codes, const InputScale& input_scale,
                          const QuantizedWeight& weight, at::ScalarType dtype);

/// What serves integer_linear on the CPU, for inspect and logs: "oneDNN (AVX-512 VNNI)", or a
/// portable way.
std::string integer_kernel(Compute compute = Compute::kInteger);

}  // namespace dualpath::quant
