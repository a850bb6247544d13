#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "data/formats/element.h"
#include "modules/kernels/lane_sum.h"

/// Shared parts of the CUDA kernels: loads, stores, launches.
namespace dualpath::modules::device {

inline constexpr int kThreads = 256;

/// Blocks for n elements. A thread takes elements a grid apart, so that neighbours read neighbours.
inline int blocks_for(std::int64_t n) {
  constexpr std::int64_t kMostBlocks = 4096;
  return static_cast<int>(std::clamp<std::int64_t>((n + kThreads - 1) / kThreads, 1, kMostBlocks));
}

/// Blocks for a matrix. A thread takes a column of a few rows (blockIdx.y and on, gridDim.y apart).
inline dim3 blocks_for_matrix(std::int64_t rows, std::int64_t columns) {
  constexpr std::int64_t kMostRows = 1024;
  return dim3(static_cast<unsigned>((columns + kThreads - 1) / kThreads),
              static_cast<unsigned>(std::min(rows, kMostRows)));
}

inline void check_launch(const char* kernel) {
  const cudaError_t status = cudaGetLastError();
  if (status != cudaSuccess)
    throw std::runtime_error(std::string(kernel) + ": " + cudaGetErrorString(status));
}

inline float stored_zero(data::Float32) { return 0.0f; }
inline __nv_bfloat16 stored_zero(data::BFloat16) { return {}; }
inline __half stored_zero(data::Float16) { return {}; }

/// Calls f with a zero of the type in which CUDA stores the element: float, __nv_bfloat16 or
/// __half.
template <class F>
void visit_stored(data::Element element, const F& f) {
  data::visit(element, [&](auto type) { f(stored_zero(type)); });
}

__device__ inline float to_float(float x) { return x; }
__device__ inline float to_float(__nv_bfloat16 x) { return __bfloat162float(x); }
__device__ inline float to_float(__half x) { return __half2float(x); }
__device__ inline void store(float value, float* y) { *y = value; }
__device__ inline void store(float value, __nv_bfloat16* y) { *y = __float2bfloat16_rn(value); }
__device__ inline void store(float value, __half* y) { *y = __float2half_rn(value); }

/// The sum over a row's sixteen threads, in the order of the law (lane_sum.h). Each of them gets
/// it.
__device__ inline float lane_sum(float partial) {
  for (int half = kSumLanes / 2; half > 0; half /= 2) {
    partial += __shfl_down_sync(0xffffffffu, partial, half, kSumLanes);
  }
  return __shfl_sync(0xffffffffu, partial, 0, kSumLanes);
}

/// Rows of a block in kernels with sixteen threads a row.
inline constexpr int kRowsABlock = kThreads / kSumLanes;
inline int blocks_for_rows(std::int64_t rows) {
  return static_cast<int>((rows + kRowsABlock - 1) / kRowsABlock);
}

}  // namespace dualpath::modules::device
