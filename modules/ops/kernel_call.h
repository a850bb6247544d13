#pragma once

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "data/formats/element.h"

namespace dualpath::modules {

// Helpers that call kernels on tensors.

/// Kernels' name of a float dtype. Another dtype is an error of the caller's.
inline data::Element element_of(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return data::Element::kFloat32;
    case at::kBFloat16:
      return data::Element::kBFloat16;
    case at::kHalf:
      return data::Element::kFloat16;
    default:
      TORCH_CHECK(false, "no kernel for ", c10::toString(type));
  }
}

/// Address of row `row`. A row is a contiguous tensor's last dimension.
inline std::byte* row_at(const at::Tensor& tensor, std::int64_t row) {
  return static_cast<std::byte*>(tensor.data_ptr()) +
         row * tensor.size(-1) * static_cast<std::int64_t>(tensor.element_size());
}

/// Address of element i of a contiguous tensor.
inline std::byte* element_at(const at::Tensor& tensor, std::int64_t i) {
  return static_cast<std::byte*>(tensor.data_ptr()) +
         i * static_cast<std::int64_t>(tensor.element_size());
}

/// Fewest elements for a thread, if each costs a few operations.
inline constexpr std::int64_t kGrain = 1 << 14;

/// Rows that hold so many elements.
inline std::int64_t rows_of_grain(std::int64_t width) {
  return std::max<std::int64_t>(1, kGrain / width);
}

/// Calls kernel(begin, end) from several threads. begin is a multiple of 64, so threads share no
/// byte of a mask of bits, and no line of the cache.
template <class Kernel>
void for_elements(std::int64_t n, const Kernel& kernel) {
  constexpr std::int64_t kUnit = 64;
  at::parallel_for(0, (n + kUnit - 1) / kUnit, kGrain / kUnit,
                   [&](std::int64_t begin, std::int64_t end) {
                     kernel(begin * kUnit, std::min(end * kUnit, n));
                   });
}

/// Address of a tensor's elements; null if it is undefined.
template <class T>
T* data_or_null(const at::Tensor& tensor) {
  return tensor.defined() ? static_cast<T*>(tensor.data_ptr()) : nullptr;
}

}  // namespace dualpath::modules
