#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "modules/network/executor.h"

namespace dualpath::modules {

/// Executor::masked: x itself if all of the mask is true.
at::Tensor without_padding(const at::Tensor& x, const at::Tensor& mask, std::int64_t dim);

/// Executor::conv_mask: of n real positions a convolution makes (n + 2 padding - kernel) / stride
/// + 1, rounded down.
at::Tensor conv_mask(const ConvRef& ref, const at::Tensor& mask);

/// What conv_mask() makes of `length` positions.
std::int64_t conv_length(const ConvRef& ref, std::int64_t length);

}  // namespace dualpath::modules
