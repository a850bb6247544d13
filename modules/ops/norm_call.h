#pragma once

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>

#include "modules/kernels/norm.h"
#include "modules/ops/kernel_call.h"

namespace dualpath::modules {

// Helpers that call kernels over the rows of a norm.

/// x: [..., width] and weight: [width] float32, both contiguous.
inline NormRows norm_rows_of(const at::Tensor& x, const at::Tensor& weight) {
  const std::int64_t width = x.size(-1);
  return {element_of(x.scalar_type()), x.const_data_ptr(), weight.const_data_ptr<float>(),
          x.numel() / width, width};
}

/// Calls kernel(rows begin .. end of in, begin) from several threads.
template <class Kernel>
void for_norm_rows(const NormRows& in, const at::Tensor& x, const Kernel& kernel) {
  at::parallel_for(0, in.rows, rows_of_grain(in.width), [&](std::int64_t begin, std::int64_t end) {
    NormRows part = in;
    part.x = row_at(x, begin);
    part.rows = end - begin;
    kernel(part, begin);
  });
}

}  // namespace dualpath::modules
