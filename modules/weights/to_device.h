#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace dualpath::modules {

/// Puts x on a device: x itself if it lies there. A copy from the host to CUDA goes by chunks
/// through two pinned buffers (see copy_by_chunks()), so that the host waits neither for the copy
/// nor for the work before it. Its result has no history.
at::Tensor to_device(const at::Tensor& x, at::Device device);

/// Copies a tensor of the host to one of the same type and number of elements on a device; both are
/// contiguous. Chunks of at most `chunk` bytes pass through two buffers in turn: while one is on
/// its way, the other is filled from memory or, of a mapped file, from the disk. On CUDA buffers
/// are pinned, and the copies are queued on torch's current stream.
void copy_by_chunks(const at::Tensor& from, const at::Tensor& to, std::int64_t chunk);

}  // namespace dualpath::modules
