#include "modules/kernels/device.cuh"
#include "quant/arithmetic.h"
#include "quant/kernels/dequantize.h"

namespace dualpath::quant {
namespace {

using modules::device::blocks_for;
using modules::device::check_launch;
using modules::device::kThreads;
using modules::device::store;
using modules::device::visit_stored;

template <class T>
__global__ void dequantize_kernel(CodeRows in, T* y) {
  const std::int64_t n = in.rows * in.width;
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n;
       i += stride) {
    const int code =
        in.is_unsigned ? static_cast<std::uint8_t>(in.codes[i]) - kUnsignedShift : in.codes[i];
    store(static_cast<float>(code) * in.scale[i / in.width], y + i);
  }
}

template <class T>
void launch(const CodeRows& in, void* y, cudaStream_t stream) {
  dequantize_kernel<<<blocks_for(in.rows * in.width), kThreads, 0, stream>>>(in,
                                                                             static_cast<T*>(y));
  check_launch("dequantize");
}

}  // namespace

void dequantize_cuda(const CodeRows& in, data::Element element, void* y, void* stream) {
  const auto on = static_cast<cudaStream_t>(stream);
  visit_stored(element, [&](auto zero) { launch<decltype(zero)>(in, y, on); });
}

}  // namespace dualpath::quant
