#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace dualpath::modules {

/// Converts to the form in which torch's operations and autograd's functions take a tensor that may
/// be undefined.
inline std::optional<at::Tensor> optional_of(const at::Tensor& tensor) {
  return tensor.defined() ? std::optional(tensor) : std::nullopt;
}

}  // namespace dualpath::modules
