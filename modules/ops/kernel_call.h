#pragma once

#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "data/formats/element.h"

#ifdef DUALPATH_CUDA
#include <c10/cuda/CUDAStream.h>
#endif

namespace dualpath::modules {

// What it takes to call a kernel on tensors.

/// What kernels call a float dtype; another dtype is an error of the caller's.
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

/// Where row `row` begins. A row is a contiguous tensor's last dimension.
inline std::byte* row_at(const at::Tensor& tensor, std::int64_t row) {
  return static_cast<std::byte*>(tensor.data_ptr()) +
         row * tensor.size(-1) * static_cast<std::int64_t>(tensor.element_size());
}

/// Where element i of a contiguous tensor is.
inline std::byte* element_at(const at::Tensor& tensor, std::int64_t i) {
  return static_cast<std::byte*>(tensor.data_ptr()) +
         i * static_cast<std::int64_t>(tensor.element_size());
}

/// Elements that a thread takes at least, where each costs a few operations.
inline constexpr std::int64_t kGrain = 1 << 14;

/// As many rows as that is.
inline std::int64_t rows_of_grain(std::int64_t width) {
  return std::max<std::int64_t>(1, kGrain / width);
}

#ifdef DUALPATH_CUDA
/// The cudaStream_t that torch uses now on the tensor's device.
inline void* cuda_stream(const at::Tensor& tensor) {
  return c10::cuda::getCurrentCUDAStream(tensor.device().index()).stream();
}
#endif

}  // namespace dualpath::modules
