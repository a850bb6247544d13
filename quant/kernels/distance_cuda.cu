#include "modules/kernels/device.cuh"
#include "quant/kernels/distance.h"

namespace dualpath::quant {
namespace {

using modules::kSumLanes;
using modules::device::blocks_for_matrix;
using modules::device::blocks_for_rows;
using modules::device::check_launch;
using modules::device::kRowsABlock;
using modules::device::kThreads;
using modules::device::lane_sum;
using modules::device::store;
using modules::device::to_float;
using modules::device::visit_stored;

/// Sixteen threads take a row. Threads past the last row add nothing to the shuffles.
template <class T>
__global__ void distance_kernel(const T* fp, const T* q, std::int64_t rows, std::int64_t width,
                                T* difference, float* squares, float* fp_squares) {
  const std::int64_t row =
      static_cast<std::int64_t>(blockIdx.x) * kRowsABlock + threadIdx.x / kSumLanes;
  const int lane = threadIdx.x % kSumLanes;
  const std::int64_t begin = row * width, last = row < rows ? width : 0;
  float of_difference = 0.0f, of_fp = 0.0f;
  for (std::int64_t i = lane; i < last; i += kSumLanes) {
    const float value = to_float(fp[begin + i]);
    T rounded;
    store(to_float(q[begin + i]) - value, &rounded);
    difference[begin + i] = rounded;
    of_difference += to_float(rounded) * to_float(rounded);
    of_fp += value * value;
  }
  of_difference = lane_sum(of_difference);
  of_fp = lane_sum(of_fp);
  if (lane != 0 || row >= rows) return;
  squares[row] = of_difference;
  fp_squares[row] = of_fp;
}

template <class T>
__global__ void backward_kernel(const T* difference, const float* slope, std::int64_t rows,
                                std::int64_t width, T* grad) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= width) return;
  for (std::int64_t row = blockIdx.y; row < rows; row += gridDim.y)
    store(to_float(difference[row * width + i]) * slope[row], grad + row * width + i);
}

template <class T>
void launch(const DistanceRows& in, void* difference, float* squares, float* fp_squares,
            cudaStream_t stream) {
  distance_kernel<<<blocks_for_rows(in.rows), kThreads, 0, stream>>>(
      static_cast<const T*>(in.fp), static_cast<const T*>(in.q), in.rows, in.width,
      static_cast<T*>(difference), squares, fp_squares);
  check_launch("distance");
}

template <class T>
void launch_backward(const void* difference, const float* slope, std::int64_t rows,
                     std::int64_t width, void* grad, cudaStream_t stream) {
  backward_kernel<<<blocks_for_matrix(rows, width), kThreads, 0, stream>>>(
      static_cast<const T*>(difference), slope, rows, width, static_cast<T*>(grad));
  check_launch("distance_backward");
}

}  // namespace

void distance_cuda(const DistanceRows& in, void* difference, float* squares, float* fp_squares,
                   void* stream) {
  const auto on = static_cast<cudaStream_t>(stream);
  if (in.rows == 0) return;
  visit_stored(in.element,
               [&](auto zero) { launch<decltype(zero)>(in, difference, squares, fp_squares, on); });
}

void distance_backward_cuda(data::Element element, const void* difference, const float* slope,
                            std::int64_t rows, std::int64_t width, void* grad, void* stream) {
  const auto on = static_cast<cudaStream_t>(stream);
  if (rows == 0) return;
  visit_stored(element, [&](auto zero) {
    launch_backward<decltype(zero)>(difference, slope, rows, width, grad, on);
  });
}

}  // namespace dualpath::quant
