#pragma once

#include <cstdint>

#include "data/formats/element.h"

namespace dualpath::modules {

/// gate, up: [n] of the element type. On the CPU up may be null: SiLU alone.
struct GatedRows {
  data::Element element;
  const void *gate, *up;
  std::int64_t n;
};

/// SwiGLU's product: y = gate * sigmoid(gate) * up, in float32, then one cast (Shazeer 2020).
void gated_silu_cpu(const GatedRows& in, void* y);
/// grad: y's gradient. grad_up: null if up is null.
void gated_silu_backward_cpu(const GatedRows& in, const void* grad, void* grad_gate, void* grad_up);

/// The functions above on device memory, within float32's rounding of exp. stream is a
/// cudaStream_t.
void gated_silu_cuda(const GatedRows& in, void* y, void* stream);
void gated_silu_backward_cuda(const GatedRows& in, const void* grad, void* grad_gate, void* grad_up,
                              void* stream);

}  // namespace dualpath::modules
