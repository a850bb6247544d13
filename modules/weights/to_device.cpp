#include "modules/weights/to_device.h"

#include <ATen/ATen.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <array>
#include <optional>

namespace dualpath::modules {
namespace {

using at::Tensor;

constexpr std::int64_t kChunk = std::int64_t{16} << 20;  // bytes

Tensor bytes_of(const Tensor& x) { return x.view({-1}).view(at::kByte); }

/// A buffer of the host on the way to a device. It is filled again only when the device has it.
class Buffer {
 public:
  Buffer(std::int64_t size, at::Device device)
      : bytes_(at::empty({size}, at::dtype(at::kByte).pinned_memory(device.is_cuda()))),
        device_(device) {
    if (device.is_cuda()) sent_.emplace(device.type());
  }

  /// Both: [n] bytes, n at most the buffer's size.
  void send(const Tensor& from, const Tensor& to) {
    if (sent_) sent_->synchronize();  // returns at once before the first record
    const Tensor part = bytes_.narrow(0, 0, from.numel());
    part.copy_(from);
    to.copy_(part, /*non_blocking=*/sent_.has_value());
    if (sent_) sent_->record(c10::impl::VirtualGuardImpl(device_.type()).getStream(device_));
  }

 private:
  Tensor bytes_;  // torch's cache of pinned memory keeps it until the last copy is done
  at::Device device_;
  std::optional<c10::Event> sent_;
};

}  // namespace

void copy_by_chunks(const Tensor& from, const Tensor& to, std::int64_t chunk) {
  const at::NoGradGuard no_grad;
  const c10::DeviceGuard guard(to.device());
  const Tensor source = bytes_of(from), target = bytes_of(to);
  const std::int64_t bytes = source.numel();
  std::array<std::optional<Buffer>, 2> buffers;
  std::size_t turn = 0;
  for (std::int64_t begin = 0; begin < bytes; begin += chunk) {
    const std::int64_t size = std::min(chunk, bytes - begin);
    std::optional<Buffer>& buffer = buffers[turn];
    if (!buffer) buffer.emplace(size, to.device());
    buffer->send(source.narrow(0, begin, size), target.narrow(0, begin, size));
    turn = 1 - turn;
  }
}

Tensor to_device(const Tensor& x, at::Device device) {
  if (!device.is_cuda() || !x.is_cpu()) return x.to(device);
  const Tensor from = x.detach().contiguous();
  const Tensor to = at::empty(from.sizes(), from.options().device(device));
  copy_by_chunks(from, to, kChunk);
  return to;
}

}  // namespace dualpath::modules
