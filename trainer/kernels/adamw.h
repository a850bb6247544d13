#pragma once

#include <cmath>
#include <cstdint>

#include "quant/arithmetic.h"

namespace dualpath::trainer {

/// Factors of one AdamW step, the same for all elements of a tensor (Loshchilov and Hutter 2019,
/// algorithm 2; the order of torch.optim.AdamW). The decay stands apart from the gradient.
struct AdamWStep {
  float decay;              ///< share of a parameter that stays: 1 - learning_rate * weight_decay
  float beta1, beta2, eps;  ///< decays of the moments; eps keeps the quotient finite
  float step_size;          ///< learning_rate / (1 - beta1^t)
  float root_correction2;   ///< sqrt(1 - beta2^t)
  float gradient_scale;     ///< factor of clipping; 1 if nothing is clipped
};

/// Updates one element, alike on host and device.
DP_HOST_DEVICE inline void adamw_element(const AdamWStep& step, float gradient, float& parameter,
                                         float& exp_avg, float& exp_avg_sq) {
  const float g = gradient * step.gradient_scale;
  exp_avg = step.beta1 * exp_avg + (1.0f - step.beta1) * g;
  exp_avg_sq = step.beta2 * exp_avg_sq + (1.0f - step.beta2) * g * g;
  const float denominator = sqrtf(exp_avg_sq) / step.root_correction2 + step.eps;
  parameter = parameter * step.decay - step.step_size * (exp_avg / denominator);
}

/// One pass over n elements: reads the gradient, reads and writes parameter and moments.
void adamw_cpu(const AdamWStep& step, std::int64_t n, const float* gradient, float* parameter,
               float* exp_avg, float* exp_avg_sq);

/// Sums the squares of n elements, in double, in sixteen lanes of a fixed order.
double squared_norm_cpu(const float* x, std::int64_t n);

/// adamw_cpu() on device memory. stream is a cudaStream_t.
void adamw_cuda(const AdamWStep& step, std::int64_t n, const float* gradient, float* parameter,
                float* exp_avg, float* exp_avg_sq, void* stream);

}  // namespace dualpath::trainer
