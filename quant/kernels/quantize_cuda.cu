#include <cmath>

#include "modules/kernels/device.cuh"
#include "quant/kernels/quantize.h"

namespace dualpath::quant {
namespace {

using modules::device::blocks_for;
using modules::device::check_launch;
using modules::device::kThreads;
using modules::device::to_float;

template <class T>
__global__ void quantize_kernel(const T* x, std::int64_t n, Grid grid, std::int8_t* codes,
                                std::uint8_t* in_range_out, std::int32_t* non_finite) {
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n;
       i += stride) {
    const float value = to_float(x[i]);
    const bool finite = isfinite(value);
    const float rounded = level(finite ? value : 0.0f, grid);
    codes[i] = static_cast<std::int8_t>(saturate(rounded, grid));
    if (in_range_out) in_range_out[i] = in_range(rounded, grid);
    if (!finite) atomicAdd(non_finite, 1);
  }
}

template <class T>
void launch_quantize(const void* x, std::int64_t n, Grid grid, std::int8_t* codes,
                     std::uint8_t* in_range, std::int32_t* non_finite, cudaStream_t stream) {
  quantize_kernel<<<blocks_for(n), kThreads, 0, stream>>>(static_cast<const T*>(x), n, grid, codes,
                                                          in_range, non_finite);
  check_launch("quantize");
}

}  // namespace

void quantize_cuda(data::Element element, const void* x, std::int64_t n, Grid grid,
                   std::int8_t* codes, std::uint8_t* in_range, std::int32_t* non_finite,
                   CudaStream stream) {
  const auto on = static_cast<cudaStream_t>(stream);
  switch (element) {
    case data::Element::kFloat32:
      return launch_quantize<float>(x, n, grid, codes, in_range, non_finite, on);
    case data::Element::kBFloat16:
      return launch_quantize<__nv_bfloat16>(x, n, grid, codes, in_range, non_finite, on);
    case data::Element::kFloat16:
      return launch_quantize<__half>(x, n, grid, codes, in_range, non_finite, on);
  }
}

}  // namespace dualpath::quant
