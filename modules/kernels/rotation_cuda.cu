#include "modules/kernels/device.cuh"
#include "modules/kernels/rotation.h"

namespace dualpath::modules {
namespace {

using device::blocks_for;
using device::check_launch;
using device::kThreads;
using device::store;
using device::to_float;
using device::visit_stored;

/// A thread takes a pair of channels: two that turn together, or two that stay.
template <class T>
__global__ void rotate_kernel(RotationRows in, T* y) {
  const T* x = static_cast<const T*>(in.x);
  const std::int64_t half = in.rotated / 2, pairs_of_head = in.dim / 2,
                     pairs = in.tokens * in.heads * pairs_of_head;
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t pair = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
       pair < pairs; pair += stride) {
    const std::int64_t i = pair % pairs_of_head, head = pair / pairs_of_head,
                       token = head / in.heads;
    if (i >= half) {
      y[2 * pair] = x[2 * pair];
      y[2 * pair + 1] = x[2 * pair + 1];
      continue;
    }
    const std::int64_t low = in.interleaved ? 2 * pair : head * in.dim + i;
    const std::int64_t high = in.interleaved ? low + 1 : low + half;
    const float cos = in.cos[token * half + i];
    const float sin = in.back ? -in.sin[token * half + i] : in.sin[token * half + i];
    const float first = to_float(x[low]), second = to_float(x[high]);
    store(first * cos - second * sin, y + low);
    store(second * cos + first * sin, y + high);
  }
}

template <class T>
void launch(const RotationRows& in, void* y, cudaStream_t stream) {
  rotate_kernel<<<blocks_for(in.tokens * in.heads * in.dim / 2), kThreads, 0, stream>>>(
      in, static_cast<T*>(y));
  check_launch("rotate");
}

}  // namespace

void rotate_cuda(const RotationRows& in, void* y, void* stream) {
  const auto on = static_cast<cudaStream_t>(stream);
  visit_stored(in.element, [&](auto zero) { launch<decltype(zero)>(in, y, on); });
}

}  // namespace dualpath::modules
