#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "quant/ops/input_scale.h"
#include "quant/ops/quantized_weight.h"

namespace dualpath::quant {

/// Whether weights that share scales so are packed for a kernel here, beside their codes.
bool has_integer_kernel(Strategy weights, Compute compute);

/// Packs a weight's codes for the device's integer kernel where there is one: on the CPU oneDNN
/// through ATen, by AMX or VNNI, and for weights by group one of our own; on CUDA at::_int_mm on
/// the tensor cores, whose limits of shape are padded away. Elsewhere nothing happens, and
/// integer_linear takes the portable way.
void pack(QuantizedWeight& weight);

/// Whether integer_linear wants the input's codes on the unsigned grid (uint8) for this weight:
/// oneDNN does, and our own kernel.
bool takes_unsigned(const QuantizedWeight& weight);

/// y = float(sum) * (input_scale * weight.scale) (by group, such products added from the first to
/// the last), + bias, then one cast: the same bits by every kernel. codes: [M, K], uint8 where
/// takes_unsigned(weight), else int8. Result: [M, N] of `dtype`.
at::Tensor integer_linear(const at::Tensor& codes, const InputScale& input_scale,
                          const QuantizedWeight& weight, at::ScalarType dtype);

/// What multiplies weights per channel in integers on the CPU, for inspect and logs: "oneDNN
/// (AVX-512 VNNI)", or a portable way. Weights by group have a kernel of our own, and those whose
/// input stays in float are multiplied by their values.
std::string integer_kernel(Compute compute = Compute::kInteger);

}  // namespace dualpath::quant
