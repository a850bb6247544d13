#include "modules/kernels/device.cuh"
#include "modules/kernels/norm.h"

namespace dualpath::modules {
namespace {

using device::blocks_for_rows;
using device::check_launch;
using device::kRowsABlock;
using device::kThreads;
using device::lane_sum;
using device::store;
using device::to_float;
using device::visit_stored;

// Sixteen threads take a row. Threads past the last row add nothing to the shuffles.

template <class T>
__global__ void norm_kernel(const T* x, const float* weight, std::int64_t rows, std::int64_t width,
                            float eps, T* y, float* inverse_rms) {
  const std::int64_t row =
      static_cast<std::int64_t>(blockIdx.x) * kRowsABlock + threadIdx.x / kSumLanes;
  const int lane = threadIdx.x % kSumLanes;
  const std::int64_t begin = row * width, last = row < rows ? width : 0;
  float partial = 0.0f;
  for (std::int64_t i = lane; i < last; i += kSumLanes) {
    const float value = to_float(x[begin + i]);
    partial += value * value;
  }
  const float inverse = 1.0f / sqrtf(lane_sum(partial) / static_cast<float>(width) + eps);
  if (lane == 0 && row < rows) inverse_rms[row] = inverse;
  for (std::int64_t i = lane; i < last; i += kSumLanes)
    store(to_float(x[begin + i]) * inverse * weight[i], y + begin + i);
}

template <class T>
__global__ void backward_kernel(const T* x, const float* weight, std::int64_t rows,
                                std::int64_t width, const float* inverse_rms, const T* grad,
                                T* grad_x) {
  const std::int64_t row =
      static_cast<std::int64_t>(blockIdx.x) * kRowsABlock + threadIdx.x / kSumLanes;
  const int lane = threadIdx.x % kSumLanes;
  const std::int64_t begin = row * width, last = row < rows ? width : 0;
  const float inverse = row < rows ? inverse_rms[row] : 0.0f;
  float partial = 0.0f;
  for (std::int64_t i = lane; i < last; i += kSumLanes)
    partial += to_float(grad[begin + i]) * weight[i] * to_float(x[begin + i]);
  const float along_x = inverse * inverse * (lane_sum(partial) / static_cast<float>(width));
  for (std::int64_t i = lane; i < last; i += kSumLanes) {
    const float g = to_float(grad[begin + i]) * weight[i];
    store(inverse * (g - to_float(x[begin + i]) * along_x), grad_x + begin + i);
  }
}

template <class T>
void launch(const NormRows& in, float eps, void* y, float* inverse_rms, cudaStream_t stream) {
  norm_kernel<<<blocks_for_rows(in.rows), kThreads, 0, stream>>>(static_cast<const T*>(in.x),
                                                                 in.weight, in.rows, in.width, eps,
                                                                 static_cast<T*>(y), inverse_rms);
  check_launch("rms_norm");
}

template <class T>
void launch_backward(const NormRows& in, const float* inverse_rms, const void* grad, void* grad_x,
                     cudaStream_t stream) {
  backward_kernel<<<blocks_for_rows(in.rows), kThreads, 0, stream>>>(
      static_cast<const T*>(in.x), in.weight, in.rows, in.width, inverse_rms,
      static_cast<const T*>(grad), static_cast<T*>(grad_x));
  check_launch("rms_norm_backward");
}

}  // namespace

void rms_norm_cuda(const NormRows& in, float eps, void* y, float* inverse_rms, void* stream) {
  const auto on = static_cast<cudaStream_t>(stream);
  if (in.rows == 0) return;
  visit_stored(in.element, [&](auto zero) { launch<decltype(zero)>(in, eps, y, inverse_rms, on); });
}

void rms_norm_backward_cuda(const NormRows& in, const float* inverse_rms, const void* grad,
                            void* grad_x, void* stream) {
  const auto on = static_cast<cudaStream_t>(stream);
  if (in.rows == 0) return;
  visit_stored(in.element, [&](auto zero) {
    launch_backward<decltype(zero)>(in, inverse_rms, grad, grad_x, on);
  });
}

}  // namespace dualpath::modules
