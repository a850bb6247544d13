#pragma once

#include <ATen/core/Tensor.h>

namespace dualpath::quant {

/// codes: [N, K] int8 on the CPU. Result: as oneDNN's integer products take a weight. Throws
/// c10::Error where the processor or the build has none.
at::Tensor onednn_pack(const at::Tensor& codes);

/// packed: of onednn_pack() for other codes of the same shape; becomes these codes'. oneDNN's own
/// reordering takes ten times as long as its bytes need, so once a shape's blocks have been seen to
/// be those of kernels/pack_blocks.h, they are written in place.
void onednn_repack(const at::Tensor& codes, at::Tensor& packed);

}  // namespace dualpath::quant
