#pragma once

#include <torch/types.h>

#include "quant/kernels/scale_sums.h"

namespace dualpath::quant {

/// Scale of an input's codes: one float for all rows (static), or float32 `rows` (per token).
struct InputScale {
  InputScale(float all) : value(all) {}
  InputScale(const torch::Tensor& each) : is_shared(false), rows(each.contiguous()) {}
  /// A scale for all rows, [1] float32, that stays where it lies: the host reads its own memory,
  /// and a device's kernels theirs.
  static InputScale shared(const torch::Tensor& scale);

  bool is_shared = true;  ///< one scale for all rows
  float value = 0.0f;     ///< for all rows, if `rows` is undefined
  torch::Tensor rows;     ///< float32 on the codes' device: one a row, [M], or [1] for all

  /// The scale as kernels read it. Valid while this scale lives.
  InputScaleView view() const {
    if (!rows.defined()) return {.value = value};
    return {.values = rows.const_data_ptr<float>(), .step = rows.numel() == 1 ? 0 : 1};
  }
};

}  // namespace dualpath::quant
