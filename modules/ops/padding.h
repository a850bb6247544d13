#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "modules/network/executor.h"

namespace dualpath::modules {

/// Executor::masked: returns x itself if all of the mask is true.
at::Tensor without_padding(const at::Tensor& x, const at::Tensor& mask, std::int64_t dim);

/// Executor::conv_mask: a convolution of n real positions makes (n + 2 padding - kernel) / stride +
/// 1, rounded down.
at::Tensor conv_mask(const ConvRef& ref, const at::Tensor& mask);

/// Length of conv_mask()'s result for `length` positions.
std::int64_t conv_length(const ConvRef& ref, std::int64_t length);

}  // namespace dualpath::modules
