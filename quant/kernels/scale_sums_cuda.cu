#include "modules/kernels/device.cuh"
#include "quant/arithmetic.h"
#include "quant/kernels/scale_sums.h"

namespace dualpath::quant {
namespace {

using modules::device::blocks_for_matrix;
using modules::device::check_launch;
using modules::device::kThreads;
using modules::device::store;
using modules::device::visit_stored;

template <class T>
__global__ void scale_sums_kernel(SumRows in, T* y) {
  const std::int64_t c = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (c >= in.columns) return;
  const auto* sums = static_cast<const std::int32_t*>(in.sums);
  const float weight_scale = in.weight_scale[c], bias = in.bias ? in.bias[c] : 0.0f;
  for (std::int64_t r = blockIdx.y; r < in.rows; r += gridDim.y) {
    const float scale = in.input.values ? in.input.values[r * in.input.step] : in.input.value;
    const float value = scaled_sum(sums[r * in.stride + c], scale, weight_scale);
    store(in.bias ? value + bias : value, y + r * in.columns + c);
  }
}

template <class T>
void launch(const SumRows& in, void* y, cudaStream_t stream) {
  scale_sums_kernel<<<blocks_for_matrix(in.rows, in.columns), kThreads, 0, stream>>>(
      in, static_cast<T*>(y));
  check_launch("scale_sums");
}

}  // namespace

void scale_sums_cuda(const SumRows& in, data::Element element, void* y, void* stream) {
  const auto on = static_cast<cudaStream_t>(stream);
  if (in.rows == 0) return;
  visit_stored(element, [&](auto zero) { launch<decltype(zero)>(in, y, on); });
}

}  // namespace dualpath::quant
