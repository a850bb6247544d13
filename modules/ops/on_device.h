#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/Stream.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <c10/util/Exception.h>

#include "has_cuda.h"

namespace dualpath::modules {

/// The stream that torch uses now on x's device, as kernels take it: on CUDA a cudaStream_t.
inline void* stream_of(const at::Tensor& x) {
  return c10::impl::VirtualGuardImpl(x.device().type()).getStream(x.device()).native_handle();
}

/// Whether the host reads x's memory, so that the CPU's kernels take it: on the CPU, and on a
/// device of torch's PrivateUse1, which is how tests stand in for a GPU.
inline bool lies_on_host(const at::Tensor& x) { return x.is_cpu() || x.is_privateuseone(); }

/// The one place that chooses a device's kernel. Returns on_cpu(), or on_cuda(stream), by x's
/// device; both return the same type. In a build without CUDA on_cuda is compiled but never called,
/// so nothing asks the linker for its kernels. Functions that on_cuda calls are inline: GCC's -O0
/// keeps others.
template <class OnCpu, class OnCuda>
auto on_device(const at::Tensor& x, const OnCpu& on_cpu, [[maybe_unused]] const OnCuda& on_cuda) {
  if constexpr (kHasCuda) {
    if (x.is_cuda()) {
      const c10::DeviceGuard guard(x.device());
      return on_cuda(stream_of(x));
    }
  }
  TORCH_CHECK(lies_on_host(x), "no kernel for ", x.device());
  return on_cpu();
}

}  // namespace dualpath::modules
