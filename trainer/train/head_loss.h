#pragma once

#include <ATen/core/Tensor.h>

#include "trainer/kernels/head_loss.h"

namespace dualpath::trainer {

/// Losses of each row by kernels/head_loss.h, each [rows] float32 (views of one tensor).
struct RowLosses {
  at::Tensor kl, nll, correct, agreed;
  /// All of them on the CPU, by one copy.
  RowLosses on_host() const;
};

/// reference: [rows, words], or undefined. quantized: in the reference's shape and dtype; targets:
/// [rows] int64. gradient: undefined, or like quantized, whose memory it may share.
RowLosses head_loss(const at::Tensor& reference, const at::Tensor& quantized,
                    const at::Tensor& targets, LossWeights weights = {},
                    const at::Tensor& gradient = {});

}  // namespace dualpath::trainer
