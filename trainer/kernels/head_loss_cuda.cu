#include <cfloat>

#include "modules/kernels/device.cuh"
#include "trainer/kernels/head_loss.h"

namespace dualpath::trainer {
namespace {

using modules::device::check_launch;
using modules::device::kThreads;
using modules::device::store;
using modules::device::to_float;
using modules::device::visit_stored;

struct Add {
  static __device__ float join(float a, float b) { return a + b; }
};

struct Largest {
  static __device__ float join(float a, float b) { return fmaxf(a, b); }
};

/// Joins a value of each thread of the block, in a fixed order. Every thread gets the result.
template <class Join>
__device__ float over_block(float value) {
  __shared__ float shared[kThreads];
  shared[threadIdx.x] = value;
  __syncthreads();
  for (int half = kThreads / 2; half > 0; half /= 2) {
    if (threadIdx.x < half)
      shared[threadIdx.x] = Join::join(shared[threadIdx.x], shared[threadIdx.x + half]);
    __syncthreads();
  }
  const float result = shared[0];
  __syncthreads();
  return result;
}

template <class T>
__device__ float maximum(const T* row, std::int64_t words) {
  float best = -FLT_MAX;
  for (std::int64_t i = threadIdx.x; i < words; i += kThreads) best = fmaxf(best, to_float(row[i]));
  return over_block<Largest>(best);
}

/// Finds the first word that has this value. A vocabulary is far below 2^24, where float32 stops
/// counting.
template <class T>
__device__ float first_with(float value, const T* row, std::int64_t words) {
  float first = static_cast<float>(words);
  for (std::int64_t i = threadIdx.x; i < words; i += kThreads) {
    if (to_float(row[i]) == value) {
      first = static_cast<float>(i);
      break;
    }
  }
  return -over_block<Largest>(-first);
}

/// A block takes a row.
template <class T>
__global__ void head_loss_kernel(const T* reference, const T* quantized,
                                 const std::int64_t* targets, std::int64_t words,
                                 LossWeights weights, RowLoss* losses, T* gradient) {
  const std::int64_t row = blockIdx.x, begin = row * words, target = targets[row];
  const T* q = quantized + begin;
  const T* p = reference ? reference + begin : nullptr;
  const float q_max = maximum(q, words), p_max = p ? maximum(p, words) : 0.0f;
  float sum_p = 0.0f, sum_q = 0.0f, cross = 0.0f;
  for (std::int64_t i = threadIdx.x; i < words; i += kThreads) {
    const float x_q = to_float(q[i]);
    sum_q += expf(x_q - q_max);
    if (!p) continue;
    const float x_p = to_float(p[i]), e_p = expf(x_p - p_max);
    sum_p += e_p;
    cross += e_p * (x_p - x_q);
  }
  sum_q = over_block<Add>(sum_q);
  const float log_sum_q = q_max + logf(sum_q);
  const float best = first_with(q_max, q, words);
  RowLoss loss{0.0f, log_sum_q - to_float(q[target]),
               best == static_cast<float>(target) ? 1.0f : 0.0f, 0.0f};
  float log_sum_p = 0.0f;
  if (p) {
    sum_p = over_block<Add>(sum_p);
    cross = over_block<Add>(cross);
    log_sum_p = p_max + logf(sum_p);
    loss.kl = cross / sum_p + (log_sum_q - log_sum_p);
    loss.agreed = best == first_with(p_max, p, words) ? 1.0f : 0.0f;
  } else {
    weights.kl = 0.0f;
  }
  if (threadIdx.x == 0) losses[row] = loss;
  if (!gradient) return;
  for (std::int64_t i = threadIdx.x; i < words; i += kThreads) {
    float slope = (weights.kl + weights.ce) * expf(to_float(q[i]) - log_sum_q);
    if (p) slope -= weights.kl * expf(to_float(p[i]) - log_sum_p);
    if (i == target) slope -= weights.ce;
    store(slope, gradient + begin + i);
  }
}

template <class T>
void launch(const HeadRows& in, LossWeights weights, RowLoss* losses, void* gradient,
            cudaStream_t stream) {
  head_loss_kernel<<<static_cast<unsigned>(in.rows), kThreads, 0, stream>>>(
      static_cast<const T*>(in.reference), static_cast<const T*>(in.quantized), in.targets,
      in.words, weights, losses, static_cast<T*>(gradient));
  check_launch("head_loss");
}

}  // namespace

void head_loss_cuda(const HeadRows& in, LossWeights weights, RowLoss* losses, void* gradient,
                    void* stream) {
  const auto on = static_cast<cudaStream_t>(stream);
  if (in.rows == 0) return;
  visit_stored(in.element,
               [&](auto zero) { launch<decltype(zero)>(in, weights, losses, gradient, on); });
}

}  // namespace dualpath::trainer
