#include "modules/kernels/device.cuh"
#include "trainer/kernels/adamw.h"

namespace dualpath::trainer {
namespace {

using modules::device::blocks_for;
using modules::device::check_launch;
using modules::device::kThreads;

__global__ void adamw(AdamWStep step, std::int64_t n, const float* gradient, float* parameter,
                      float* exp_avg, float* exp_avg_sq) {
  const std::int64_t stride = std::int64_t{gridDim.x} * kThreads;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; i < n; i += stride)
    adamw_element(step, gradient[i], parameter[i], exp_avg[i], exp_avg_sq[i]);
}

}  // namespace

void adamw_cuda(const AdamWStep& step, std::int64_t n, const float* gradient, float* parameter,
                float* exp_avg, float* exp_avg_sq, void* stream) {
  adamw<<<blocks_for(n), kThreads, 0, static_cast<cudaStream_t>(stream)>>>(
      step, n, gradient, parameter, exp_avg, exp_avg_sq);
  check_launch("adamw");
}

}  // namespace dualpath::trainer
