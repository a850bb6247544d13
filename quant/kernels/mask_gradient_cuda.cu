#include "modules/kernels/device.cuh"
#include "quant/kernels/mask_gradient.h"

namespace dualpath::quant {
namespace {

using modules::device::blocks_for;
using modules::device::check_launch;
using modules::device::kThreads;

/// Moves gradients, whatever their type. Word is an unsigned integer of their size.
template <class Word>
__global__ void mask_gradient_kernel(const Word* grad, const std::uint8_t* bits, std::int64_t n,
                                     Word* y) {
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n;
       i += stride) {
    y[i] = bits[i / 8] >> i % 8 & 1 ? grad[i] : Word{0};
  }
}

template <class Word>
void launch(const void* grad, const std::uint8_t* bits, std::int64_t n, void* y,
            cudaStream_t stream) {
  mask_gradient_kernel<<<blocks_for(n), kThreads, 0, stream>>>(static_cast<const Word*>(grad), bits,
                                                               n, static_cast<Word*>(y));
  check_launch("mask_gradient");
}

}  // namespace

void mask_gradient_cuda(data::Element element, const void* grad, const std::uint8_t* in_range,
                        std::int64_t n, void* y, void* stream) {
  const auto on = static_cast<cudaStream_t>(stream);
  if (element == data::Element::kFloat32) return launch<std::uint32_t>(grad, in_range, n, y, on);
  launch<std::uint16_t>(grad, in_range, n, y, on);
}

}  // namespace dualpath::quant
