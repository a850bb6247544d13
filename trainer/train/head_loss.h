#pragma once

#include <ATen/core/Tensor.h>

#include "trainer/kernels/head_loss.h"

namespace dualpath::trainer {

/// What kernels/head_loss.h gives of each row, each [rows] float32 (views of one tensor).
struct RowLosses {
  at::Tensor kl, nll, correct, agreed;
};

/// reference: [rows, words], undefined where there is none; quantized: the same shape and dtype;
/// targets: [rows] int64; gradient: undefined, or as quantized, which it may share its memory with.
RowLosses head_loss(const at::Tensor& reference, const at::Tensor& quantized,
                    const at::Tensor& targets, LossWeights weights = {},
                    const at::Tensor& gradient = {});

}  // namespace dualpath::trainer
