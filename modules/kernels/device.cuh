#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <string>

/// What the CUDA kernels share: loads, stores, launches.
namespace dualpath::modules::device {

inline constexpr int kThreads = 256;

/// A thread takes elements a grid apart, so that neighbours read neighbours.
inline int blocks_for(std::int64_t n) {
  constexpr std::int64_t kMostBlocks = 4096;
  return static_cast<int>(std::clamp<std::int64_t>((n + kThreads - 1) / kThreads, 1, kMostBlocks));
}

inline void check_launch(const char* kernel) {
  const cudaError_t status = cudaGetLastError();
  if (status != cudaSuccess)
    throw std::runtime_error(std::string(kernel) + ": " + cudaGetErrorString(status));
}

__device__ inline float to_float(float x) { return x; }
__device__ inline float to_float(__nv_bfloat16 x) { return __bfloat162float(x); }
__device__ inline float to_float(__half x) { return __half2float(x); }
__device__ inline void store(float value, float* y) { *y = value; }
__device__ inline void store(float value, __nv_bfloat16* y) { *y = __float2bfloat16_rn(value); }
__device__ inline void store(float value, __half* y) { *y = __float2half_rn(value); }

}  // namespace dualpath::modules::device
