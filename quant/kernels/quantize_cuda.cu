#include <cmath>

#include "modules/kernels/device.cuh"
#include "quant/kernels/quantize.h"

namespace dualpath::quant {
namespace {

using modules::device::blocks_for;
using modules::device::check_launch;
using modules::device::kThreads;
using modules::device::to_float;
using modules::device::visit_stored;

constexpr int kWarp = 32;
constexpr unsigned kWholeWarp = 0xffffffffu;

/// Level of one value before it is saturated; zero's if it is not finite.
template <class T>
__device__ float level_of(T x, Grid grid, bool* finite) {
  const float value = to_float(x);
  *finite = isfinite(value);
  return level(*finite ? value : 0.0f, grid);
}

// Each thread takes elements a grid apart. Whole warps go round together, so that 32 neighbours
// vote on four bytes of the mask.

template <class T>
__global__ void quantize_kernel(const T* x, std::int64_t n, Grid grid, const float* scale,
                                std::int8_t* codes, std::uint8_t* in_range_out,
                                std::int32_t* non_finite) {
  if (scale) grid.scale = *scale;
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  const int lane = threadIdx.x % kWarp;
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  for (std::int64_t warp = first - lane; warp < n; warp += stride) {
    const std::int64_t i = warp + lane;
    bool finite = true, inside = false;
    if (i < n) {
      const float rounded = level_of(x[i], grid, &finite);
      codes[i] = static_cast<std::int8_t>(saturate(rounded, grid));
      inside = in_range(rounded, grid);
    }
    if (!finite) atomicAdd(non_finite, 1);
    if (!in_range_out) continue;
    const unsigned bits = __ballot_sync(kWholeWarp, inside);
    if (lane % 8 == 0 && i < n) in_range_out[i / 8] = static_cast<std::uint8_t>(bits >> lane);
  }
}

/// Returns to all blockDim.x threads of a row the largest of their values.
__device__ inline float row_max(float largest) {
  __shared__ float of_warp[kThreads / kWarp];
  for (int half = kWarp / 2; half > 0; half /= 2)
    largest = fmaxf(largest, __shfl_xor_sync(kWholeWarp, largest, half));
  if (blockDim.x == kWarp) return largest;
  if (threadIdx.x % kWarp == 0) of_warp[threadIdx.x / kWarp] = largest;
  __syncthreads();
  for (int warp = 0; warp < static_cast<int>(blockDim.x) / kWarp; ++warp)
    largest = fmaxf(largest, of_warp[warp]);
  return largest;
}

// A warp takes a narrow row, eight of them in a block. A block takes a wide one.

template <class T>
__global__ void quantize_rows_kernel(const T* x, std::int64_t rows, std::int64_t width, Grid grid,
                                     std::int8_t* codes, float* scale, std::int32_t* non_finite) {
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * blockDim.y + threadIdx.y;
  if (row >= rows) return;
  x += row * width;
  codes += row * width;
  float absmax = 0.0f;
  for (std::int64_t i = threadIdx.x; i < width; i += blockDim.x) {
    const float magnitude = fabsf(to_float(x[i]));
    if (isfinite(magnitude)) absmax = fmaxf(absmax, magnitude);
  }
  grid.scale = symmetric_scale(row_max(absmax), grid.qmax - grid.zero_point);
  if (threadIdx.x == 0) scale[row] = grid.scale;
  for (std::int64_t i = threadIdx.x; i < width; i += blockDim.x) {
    bool finite = true;
    codes[i] = static_cast<std::int8_t>(saturate(level_of(x[i], grid, &finite), grid));
    if (!finite) atomicAdd(non_finite, 1);
  }
}

template <class T>
__global__ void quantize_asymmetric_rows_kernel(const T* x, std::int64_t rows, std::int64_t width,
                                                int num_bits, std::int8_t* codes, float* scale,
                                                std::int8_t* zero_point, std::int32_t* non_finite) {
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * blockDim.y + threadIdx.y;
  if (row >= rows) return;
  x += row * width;
  codes += row * width;
  float below = 0.0f, above = 0.0f;  // the range's reach on both sides of zero
  for (std::int64_t i = threadIdx.x; i < width; i += blockDim.x) {
    const float value = to_float(x[i]);
    if (!isfinite(value)) continue;
    below = fmaxf(below, -value);
    above = fmaxf(above, value);
  }
  below = row_max(below);
  if (blockDim.x != kWarp) __syncthreads();  // row_max's memory is free again
  const Grid grid = asymmetric_grid(-below, row_max(above), num_bits);
  if (threadIdx.x == 0) {
    scale[row] = grid.scale;
    zero_point[row] = static_cast<std::int8_t>(grid.zero_point);
  }
  const Grid folded = without_zero_point(grid);
  for (std::int64_t i = threadIdx.x; i < width; i += blockDim.x) {
    bool finite = true;
    codes[i] = static_cast<std::int8_t>(saturate(level_of(x[i], folded, &finite), folded));
    if (!finite) atomicAdd(non_finite, 1);
  }
}

template <class T>
void launch_quantize(const void* x, std::int64_t n, Grid grid, const float* scale,
                     std::int8_t* codes, std::uint8_t* in_range, std::int32_t* non_finite,
                     cudaStream_t stream) {
  quantize_kernel<<<blocks_for(n), kThreads, 0, stream>>>(static_cast<const T*>(x), n, grid, scale,
                                                          codes, in_range, non_finite);
  check_launch("quantize");
}

dim3 threads_for(std::int64_t width) {
  constexpr std::int64_t kNarrow = 1024;
  return width <= kNarrow ? dim3(kWarp, kThreads / kWarp) : dim3(kThreads, 1);
}

template <class T>
void launch_quantize_rows(const void* x, std::int64_t rows, std::int64_t width, Grid like,
                          std::int8_t* codes, float* scale, std::int32_t* non_finite,
                          cudaStream_t stream) {
  const dim3 threads = threads_for(width);
  const auto blocks = static_cast<unsigned>((rows + threads.y - 1) / threads.y);
  quantize_rows_kernel<<<blocks, threads, 0, stream>>>(static_cast<const T*>(x), rows, width, like,
                                                       codes, scale, non_finite);
  check_launch("quantize_rows");
}

template <class T>
void launch_asymmetric(const void* x, std::int64_t rows, std::int64_t width, int num_bits,
                       std::int8_t* codes, float* scale, std::int8_t* zero_point,
                       std::int32_t* non_finite, cudaStream_t stream) {
  const dim3 threads = threads_for(width);
  const auto blocks = static_cast<unsigned>((rows + threads.y - 1) / threads.y);
  quantize_asymmetric_rows_kernel<<<blocks, threads, 0, stream>>>(
      static_cast<const T*>(x), rows, width, num_bits, codes, scale, zero_point, non_finite);
  check_launch("quantize_asymmetric_rows");
}

}  // namespace

void quantize_cuda(data::Element element, const void* x, std::int64_t n, Grid grid,
                   const float* scale, std::int8_t* codes, std::uint8_t* in_range,
                   std::int32_t* non_finite, void* stream) {
  const auto on = static_cast<cudaStream_t>(stream);
  visit_stored(element, [&](auto zero) {
    launch_quantize<decltype(zero)>(x, n, grid, scale, codes, in_range, non_finite, on);
  });
}

void quantize_rows_cuda(data::Element element, const void* x, std::int64_t rows, std::int64_t width,
                        Grid like, std::int8_t* codes, float* scale, std::int32_t* non_finite,
                        void* stream) {
  const auto on = static_cast<cudaStream_t>(stream);
  if (rows == 0) return;
  visit_stored(element, [&](auto zero) {
    launch_quantize_rows<decltype(zero)>(x, rows, width, like, codes, scale, non_finite, on);
  });
}

void quantize_asymmetric_rows_cuda(data::Element element, const void* x, std::int64_t rows,
                                   std::int64_t width, int num_bits, std::int8_t* codes,
                                   float* scale, std::int8_t* zero_point, std::int32_t* non_finite,
                                   void* stream) {
  const auto on = static_cast<cudaStream_t>(stream);
  if (rows == 0) return;
  visit_stored(element, [&](auto zero) {
    launch_asymmetric<decltype(zero)>(x, rows, width, num_bits, codes, scale, zero_point,
                                      non_finite, on);
  });
}

}  // namespace dualpath::quant
