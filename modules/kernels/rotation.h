#pragma once

#include <cstdint>

#include "data/formats/element.h"

namespace dualpath::modules {

/// x: [tokens, heads, dim] of the element type; cos, sin: [tokens, rotated / 2].
struct RotationRows {
  data::Element element;
  const void* x;
  const float *cos, *sin;
  std::int64_t tokens, heads, dim;
  std::int64_t rotated;  ///< the first so many channels of a head turn, the others stay
  bool interleaved;      ///< channel 2i turns with 2i + 1, else i with i + rotated / 2
  bool back;             ///< turns the other way, for the gradient
};

/// Rotates x into y, in float32, then one cast. y is laid out like x.
void rotate_cpu(const RotationRows& in, void* y);

/// rotate_cpu() on device memory. stream is a cudaStream_t.
void rotate_cuda(const RotationRows& in, void* y, void* stream);

}  // namespace dualpath::modules
