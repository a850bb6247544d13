#pragma once

#include <ATen/core/Tensor.h>

namespace dualpath::quant {

// The processor's own integer product, oneDNN's through ATen, and its layout of a weight.

/// Whether oneDNN's sums are exact here, tried with codes at their ends. Some processors add pairs
/// of products in 16 bits, which saturate. False if the processor or the build has no such product.
/// Tried once a process.
bool serves_onednn();

/// Prepares codes [N, K], int8 on the CPU, in oneDNN's layout. Throws c10::Error if the processor
/// or the build has none.
at::Tensor onednn_prepare(const at::Tensor& codes);

/// Overwrites `prepared`, which holds other codes of the same shape, with these. oneDNN's own
/// reordering takes ten times as long as its bytes need. So once a shape's blocks have proved equal
/// to kernels/prepare_blocks.h's, they are written in place.
void onednn_prepare_again(const at::Tensor& codes, at::Tensor& prepared);

/// y = float(sum) * scale + bias, then one cast. codes: [M, K] uint8 with zero point 128; scale:
/// float32, [N] or [1]; prepared: by onednn_prepare(); bias: [N] float32 or undefined. Result: [M,
/// N] of `dtype`.
at::Tensor onednn_linear(const at::Tensor& codes, const at::Tensor& scale,
                         const at::Tensor& prepared, const at::Tensor& bias, at::ScalarType dtype);

}  // namespace dualpath::quant
