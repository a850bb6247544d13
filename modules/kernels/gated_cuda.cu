#include "modules/kernels/device.cuh"
#include "modules/kernels/gated.h"

namespace dualpath::modules {
namespace {

using device::blocks_for;
using device::check_launch;
using device::kThreads;
using device::store;
using device::to_float;
using device::visit_stored;

__device__ float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

template <class T>
__global__ void forward_kernel(const T* gate, const T* up, std::int64_t n, T* y) {
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n;
       i += stride) {
    const float g = to_float(gate[i]);
    store(g * sigmoid(g) * to_float(up[i]), y + i);
  }
}

template <class T>
__global__ void backward_kernel(const T* gate, const T* up, const T* grad, std::int64_t n,
                                T* grad_gate, T* grad_up) {
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n;
       i += stride) {
    const float g = to_float(gate[i]), of_y = to_float(grad[i]), s = sigmoid(g);
    store(of_y * to_float(up[i]) * (s * (1.0f + g * (1.0f - s))), grad_gate + i);
    store(of_y * (g * s), grad_up + i);
  }
}

template <class T>
void launch(const GatedRows& in, void* y, cudaStream_t stream) {
  forward_kernel<<<blocks_for(in.n), kThreads, 0, stream>>>(
      static_cast<const T*>(in.gate), static_cast<const T*>(in.up), in.n, static_cast<T*>(y));
  check_launch("gated_silu");
}

template <class T>
void launch_backward(const GatedRows& in, const void* grad, void* grad_gate, void* grad_up,
                     cudaStream_t stream) {
  backward_kernel<<<blocks_for(in.n), kThreads, 0, stream>>>(
      static_cast<const T*>(in.gate), static_cast<const T*>(in.up), static_cast<const T*>(grad),
      in.n, static_cast<T*>(grad_gate), static_cast<T*>(grad_up));
  check_launch("gated_silu_backward");
}

}  // namespace

void gated_silu_cuda(const GatedRows& in, void* y, void* stream) {
  const auto on = static_cast<cudaStream_t>(stream);
  visit_stored(in.element, [&](auto zero) { launch<decltype(zero)>(in, y, on); });
}

void gated_silu_backward_cuda(const GatedRows& in, const void* grad, void* grad_gate, void* grad_up,
                              void* stream) {
  const auto on = static_cast<cudaStream_t>(stream);
  visit_stored(in.element, [&](auto zero) {
    launch_backward<decltype(zero)>(in, grad, grad_gate, grad_up, on);
  });
}

}  // namespace dualpath::modules
