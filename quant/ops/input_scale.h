#pragma once

#include <torch/types.h>

#include <utility>

namespace dualpath::quant {

/// Scale of the input's codes: one float (static) or one per row (per token).
struct InputScale {
  InputScale(float whole) : tensor(whole) {}
  InputScale(torch::Tensor each) : rows(std::move(each)) {}

  float tensor = 0.0f;
  torch::Tensor rows = {};  ///< [rows] float32; undefined where `tensor` is the scale
};

}  // namespace dualpath::quant
