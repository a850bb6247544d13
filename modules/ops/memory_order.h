#pragma once

#include <ATen/ATen.h>

namespace dualpath::modules {

/// Lays the elements out in memory like those of `like`, which is dense and of the same shape.
inline at::Tensor laid_out_as(const at::Tensor& like, const at::Tensor& tensor) {
  return tensor.strides() == like.strides() ? tensor : at::empty_like(like).copy_(tensor);
}

/// Views a dense tensor's elements in the order in which they lie in memory: [numel].
inline at::Tensor flat_view(const at::Tensor& dense) {
  return dense.as_strided({dense.numel()}, {1});
}

}  // namespace dualpath::modules
