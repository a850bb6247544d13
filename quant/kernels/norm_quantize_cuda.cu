#include "modules/kernels/device.cuh"
#include "quant/kernels/norm_quantize.h"

namespace dualpath::quant {
namespace {

using modules::kSumLanes;
using modules::NormRows;
using modules::device::blocks_for_rows;
using modules::device::check_launch;
using modules::device::kRowsABlock;
using modules::device::kThreads;
using modules::device::lane_sum;
using modules::device::store;
using modules::device::to_float;
using modules::device::visit_stored;

/// A norm's result, rounded to the element type.
template <class T>
__device__ float normalized(T x, float inverse, float weight) {
  T rounded;
  store(to_float(x) * inverse * weight, &rounded);
  return to_float(rounded);
}

// Sixteen threads take a row. Threads past the last row add nothing to the shuffles.

template <class T>
__global__ void norm_quantize_kernel(const T* x, const float* weight, std::int64_t rows,
                                     std::int64_t width, float eps, Grid grid, const float* scale,
                                     std::int8_t* codes, float* inverse_rms,
                                     std::int32_t* non_finite) {
  if (scale) grid.scale = *scale;
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
  for (std::int64_t i = lane; i < last; i += kSumLanes) {
    const float value = normalized(x[begin + i], inverse, weight[i]);
    const bool finite = isfinite(value);
    codes[begin + i] = static_cast<std::int8_t>(quantize(finite ? value : 0.0f, grid));
    if (!finite) atomicAdd(non_finite, 1);
  }
}

template <class T>
__global__ void backward_kernel(const T* x, const float* weight, std::int64_t rows,
                                std::int64_t width, const float* inverse_rms, Grid grid,
                                const float* scale, const T* grad, T* grad_x) {
  if (scale) grid.scale = *scale;
  const std::int64_t row =
      static_cast<std::int64_t>(blockIdx.x) * kRowsABlock + threadIdx.x / kSumLanes;
  const int lane = threadIdx.x % kSumLanes;
  const std::int64_t begin = row * width, last = row < rows ? width : 0;
  const float inverse = row < rows ? inverse_rms[row] : 0.0f;
  const auto passed = [&](std::int64_t i) {
    const float y = normalized(x[begin + i], inverse, weight[i]);
    return in_range(level(y, grid), grid) ? to_float(grad[begin + i]) : 0.0f;
  };
  float partial = 0.0f;
  for (std::int64_t i = lane; i < last; i += kSumLanes)
    partial += passed(i) * weight[i] * to_float(x[begin + i]);
  const float along_x = inverse * inverse * (lane_sum(partial) / static_cast<float>(width));
  for (std::int64_t i = lane; i < last; i += kSumLanes) {
    const float g = passed(i) * weight[i];
    store(inverse * (g - to_float(x[begin + i]) * along_x), grad_x + begin + i);
  }
}

template <class T>
void launch(const NormRows& in, float eps, Grid grid, const float* scale, std::int8_t* codes,
            float* inverse_rms, std::int32_t* non_finite, cudaStream_t stream) {
  norm_quantize_kernel<<<blocks_for_rows(in.rows), kThreads, 0, stream>>>(
      static_cast<const T*>(in.x), in.weight, in.rows, in.width, eps, grid, scale, codes,
      inverse_rms, non_finite);
  check_launch("norm_quantize");
}

template <class T>
void launch_backward(const NormRows& in, const float* inverse_rms, Grid grid, const float* scale,
                     const void* grad, void* grad_x, cudaStream_t stream) {
  backward_kernel<<<blocks_for_rows(in.rows), kThreads, 0, stream>>>(
      static_cast<const T*>(in.x), in.weight, in.rows, in.width, inverse_rms, grid, scale,
      static_cast<const T*>(grad), static_cast<T*>(grad_x));
  check_launch("norm_quantize_backward");
}

}  // namespace

void norm_quantize_cuda(const NormRows& in, float eps, Grid grid, const float* scale,
                        std::int8_t* codes, float* inverse_rms, std::int32_t* non_finite,
                        void* stream) {
  const auto on = static_cast<cudaStream_t>(stream);
  if (in.rows == 0) return;
  visit_stored(in.element, [&](auto zero) {
    launch<decltype(zero)>(in, eps, grid, scale, codes, inverse_rms, non_finite, on);
  });
}

void norm_quantize_backward_cuda(const NormRows& in, const float* inverse_rms, Grid grid,
                                 const float* scale, const void* grad, void* grad_x, void* stream) {
  const auto on = static_cast<cudaStream_t>(stream);
  if (in.rows == 0) return;
  visit_stored(in.element, [&](auto zero) {
    launch_backward<decltype(zero)>(in, inverse_rms, grid, scale, grad, grad_x, on);
  });
}

}  // namespace dualpath::quant
