#pragma once

#include <cstdint>

#include "data/formats/element.h"

namespace dualpath::modules {

/// x: [tokens, heads, dim] of the element type; cos, sin: [tokens, dim / 2].
struct RotationRows {
  data::Element element;
  const void* x;
  const float *cos, *sin;
  std::int64_t tokens, heads, dim;
  bool back;  ///< turns the other way: the gradient
};

/// y: as x. Channel i of a head turns with channel i + dim / 2, in float32, then one cast.
void rotate_cpu(const RotationRows& in, void* y);

#ifdef DUALPATH_CUDA
/// The same on device memory; stream is a cudaStream_t.
void rotate_cuda(const RotationRows& in, void* y, void* stream);
#endif

}  // namespace dualpath::modules
