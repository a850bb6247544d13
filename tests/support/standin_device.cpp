#include "tests/support/standin_device.h"

#include <ATen/ATen.h>
#include <ATen/EmptyTensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/view_native.h>
#include <c10/core/Allocator.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/library.h>

#include <cstdlib>
#include <mutex>
#include <set>
#include <utility>

namespace dualpath::testing {
namespace {

using at::Tensor;

/// MKL's results depend on where its operands lie in memory, unless it is told otherwise before its
/// first call. A copy on the device lies elsewhere than the CPU's.
const bool same_bits_anywhere = ::setenv("MKL_CBWR", "AVX2,STRICT", /*overwrite=*/1) == 0;

constexpr c10::DeviceType kStandin = c10::DeviceType::PrivateUse1;
const c10::DispatchKeySet kStandinKey(c10::DispatchKey::PrivateUse1);

// The device's memory and streams, as torch asks for them.

struct Memory final : c10::Allocator {
  c10::DataPtr allocate(std::size_t bytes) override {
    constexpr std::size_t kLine = 64;
    void* data = std::aligned_alloc(kLine, (bytes / kLine + 1) * kLine);
    return {data, data, &std::free, c10::Device(kStandin, 0)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &std::free; }
  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }
};

Memory& memory() {
  static Memory memory;
  return memory;
}

/// One device with one stream, on which all work is done at once.
struct Guard final : c10::impl::DeviceGuardImplInterface {
  c10::DeviceType type() const override { return kStandin; }
  c10::Device exchangeDevice(c10::Device) const override { return getDevice(); }
  c10::Device getDevice() const override { return {kStandin, 0}; }
  void setDevice(c10::Device) const override {}
  void uncheckedSetDevice(c10::Device) const noexcept override {}
  c10::Stream getStream(c10::Device device) const override {
    return c10::Stream(c10::Stream::DEFAULT, device);
  }
  c10::Stream exchangeStream(c10::Stream stream) const override { return stream; }
  c10::DeviceIndex deviceCount() const noexcept override { return 1; }
  void record(void**, const c10::Stream&, c10::DeviceIndex, c10::EventFlag) const override {}
  void block(void*, const c10::Stream&) const override {}
  bool queryEvent(void*) const override { return true; }
  void destroyEvent(void*, c10::DeviceIndex) const noexcept override {}
};

struct Hooks final : at::PrivateUse1HooksInterface {
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
  c10::DeviceIndex deviceCount() const override { return 1; }
  c10::DeviceIndex getCurrentDevice() const override { return 0; }
};

/// Reads back to the host. Backward runs in a thread of its own.
class ReadBacks {
 public:
  void add(std::string name) {
    const std::lock_guard lock(mutex_);
    names_.push_back(std::move(name));
  }
  std::vector<std::string> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(names_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> names_;
};

ReadBacks& read_backs() {
  static ReadBacks read_backs;
  return read_backs;
}

bool is_standin(const Tensor& tensor) {
  return tensor.defined() && tensor.device().type() == kStandin;
}

/// A tensor over this storage, with the other's dtype and places.
Tensor over(c10::Storage storage, const Tensor& like, c10::DispatchKeySet keys) {
  Tensor tensor = at::detail::make_tensor<c10::TensorImpl>(std::move(storage), keys, like.dtype());
  tensor.unsafeGetTensorImpl()->set_sizes_and_strides(like.sizes(), like.strides(),
                                                      like.storage_offset());
  return tensor;
}

/// Shows a tensor's memory as a CPU tensor, valid while the tensor lives.
Tensor on_host(const Tensor& tensor) {
  c10::Storage storage(c10::Storage::use_byte_size_t(), tensor.storage().nbytes(),
                       c10::DataPtr(tensor.storage().mutable_data(), at::kCPU),
                       c10::GetAllocator(at::kCPU), /*resizable=*/true);
  return over(std::move(storage), tensor, c10::DispatchKeySet(c10::DispatchKey::CPU));
}

/// A CPU tensor's memory as the device's, which keeps it alive.
c10::DataPtr memory_of(const Tensor& tensor) {
  const auto release = [](void* held) { delete static_cast<Tensor*>(held); };
  return {tensor.storage().mutable_data(), new Tensor(tensor), release, c10::Device(kStandin, 0)};
}

Tensor from_host(const Tensor& tensor) {
  c10::Storage storage(c10::Storage::use_byte_size_t(), tensor.storage().nbytes(),
                       memory_of(tensor), &memory(), /*resizable=*/true);
  return over(std::move(storage), tensor, kStandinKey);
}

/// Follows an argument that the operator has resized (`out`).
void follow(const Tensor& own, const Tensor& host) {
  if (own.storage().data() != host.storage().data()) {
    own.storage().set_data_ptr_noswap(memory_of(host));
    own.storage().set_nbytes(host.storage().nbytes());
  }
  if (own.sizes() != host.sizes() || own.strides() != host.strides())
    own.unsafeGetTensorImpl()->set_sizes_and_strides(host.sizes(), host.strides());
}

/// One call of an operator, on its way to the CPU's kernel and back.
class HostCall {
 public:
  explicit HostCall(const c10::OperatorHandle& op) : op_(op) {}

  /// Puts arguments over the host's memory.
  void to_host(c10::IValue& value) {
    if (value.isTensor()) {
      value = seen(value.toTensor());
    } else if (value.isTensorList()) {
      c10::List<Tensor> list;
      for (const Tensor& tensor : value.toTensorVector()) list.push_back(seen(tensor));
      value = list;
    } else if (value.isOptionalTensorList()) {
      c10::List<std::optional<Tensor>> list;
      for (const std::optional<Tensor> tensor : value.toOptionalTensorList())
        list.push_back(tensor ? std::optional(seen(*tensor)) : std::nullopt);
      value = list;
    } else if (value.isDevice()) {
      value = c10::Device(at::kCPU);
    }
  }

  /// Refuses an operator that is given tensors of both.
  void check_one_device() const {
    TORCH_CHECK(pairs_.empty() || !has_host_tensor_, "standin: ", op_.operator_name(),
                " is given a tensor of the device and one of the CPU");
  }

  void follow_resized() const {
    for (const auto& [own, host] : pairs_) follow(own, host);
  }

  /// Puts results back on the device: arguments that came back, views of them, or new tensors.
  void to_device(c10::IValue& value) const {
    if (value.isTensor()) {
      value = made(value.toTensor());
    } else if (value.isTensorList()) {
      c10::List<Tensor> list;
      for (const Tensor& tensor : value.toTensorVector()) list.push_back(made(tensor));
      value = list;
    }
  }

 private:
  Tensor seen(const Tensor& tensor) {
    if (!is_standin(tensor)) {
      has_host_tensor_ |= tensor.defined() && tensor.dim() > 0;
      return tensor;
    }
    pairs_.emplace_back(tensor, on_host(tensor));
    return pairs_.back().second;
  }

  Tensor made(const Tensor& result) const {
    if (!result.defined()) return result;
    for (const auto& [own, host] : pairs_) {
      if (result.is_same(host)) return own;
      if (result.storage().data() && result.storage().data() == host.storage().data())
        return over(own.storage(), result, kStandinKey);
    }
    return from_host(result);
  }

  const c10::OperatorHandle& op_;
  std::vector<std::pair<Tensor, Tensor>> pairs_;
  bool has_host_tensor_ = false;
};

/// Operators that on a real device make the host wait for a shape.
bool waits_for_values(const std::string& name) {
  static const std::set<std::string> names{"aten::nonzero", "aten::masked_select", "aten::equal",
                                           "aten::_unique2", "aten::repeat_interleave"};
  return names.contains(name);
}

void call_on_host(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const std::string& name = op.operator_name().name;
  HostCall call(op);
  const std::size_t arguments = op.schema().arguments().size();
  for (std::size_t i = 0; i < arguments; ++i) call.to_host(torch::jit::peek(stack, i, arguments));
  call.check_one_device();
  if (waits_for_values(name)) read_backs().add(name);
  op.redispatchBoxed(c10::DispatchKeySet(c10::DispatchKey::CPU), stack);
  call.follow_resized();
  const std::size_t results = op.schema().returns().size();
  for (std::size_t i = 0; i < results; ++i) call.to_device(torch::jit::peek(stack, i, results));
}

// Operators that need to know the device.

Tensor empty(c10::IntArrayRef sizes, std::optional<at::ScalarType> dtype, std::optional<at::Layout>,
             std::optional<at::Device>, std::optional<bool>,
             std::optional<at::MemoryFormat> format) {
  return at::detail::empty_generic(sizes, &memory(), kStandinKey, c10::dtype_or_default(dtype),
                                   format);
}

Tensor empty_strided(c10::IntArrayRef sizes, c10::IntArrayRef strides,
                     std::optional<at::ScalarType> dtype, std::optional<at::Layout>,
                     std::optional<at::Device>, std::optional<bool>) {
  return at::detail::empty_strided_generic(sizes, strides, &memory(), kStandinKey,
                                           c10::dtype_or_default(dtype));
}

const Tensor& resize(const Tensor& self, c10::IntArrayRef sizes, std::optional<at::MemoryFormat>) {
  c10::TensorImpl* impl = self.unsafeGetTensorImpl();
  impl->set_sizes_contiguous(sizes);
  const std::size_t bytes = at::detail::computeStorageNbytesContiguous(
      sizes, impl->dtype().itemsize(), static_cast<std::size_t>(impl->storage_offset()));
  const c10::Storage& storage = impl->storage();
  if (bytes <= storage.nbytes()) return self;
  c10::DataPtr more = memory().allocate(bytes);
  if (storage.nbytes() > 0) memory().copy_data(more.get(), storage.data(), storage.nbytes());
  storage.set_data_ptr_noswap(std::move(more));
  storage.set_nbytes(bytes);
  return self;
}

Tensor copy_from(const Tensor& self, const Tensor& to, bool /*non_blocking*/) {
  if (is_standin(self) && to.is_cpu() && self.numel() > 0) read_backs().add("aten::_copy_from");
  const Tensor target = is_standin(to) ? on_host(to) : to;
  target.copy_(is_standin(self) ? on_host(self) : self);
  return to;
}

Tensor copy_from_and_resize(const Tensor& self, const Tensor& to) {
  to.resize_(self.sizes());
  return copy_from(self, to, /*non_blocking=*/false);
}

at::Scalar local_scalar_dense(const Tensor& self) {
  read_backs().add("aten::_local_scalar_dense");
  return on_host(self).item();
}

C10_REGISTER_GUARD_IMPL(PrivateUse1, Guard);

TORCH_LIBRARY_IMPL(aten, PrivateUse1, m) {
  m.impl("empty.memory_format", empty);
  m.impl("empty_strided", empty_strided);
  m.impl("resize_", resize);
  m.impl("_copy_from", copy_from);
  m.impl("_copy_from_and_resize", copy_from_and_resize);
  m.impl("_local_scalar_dense", local_scalar_dense);
  m.impl("as_strided", [](const Tensor& self, c10::IntArrayRef sizes, c10::IntArrayRef strides,
                          std::optional<std::int64_t> offset) {
    return at::native::as_strided_tensorimpl(self, sizes, strides, offset);
  });
  m.impl("view", TORCH_FN(at::native::view));
  m.impl("_reshape_alias", TORCH_FN(at::native::_reshape_alias));
  // torch has kernels for any device that call other operators; the CPU's own shall run.
  for (const char* name : {"convolution", "convolution_backward", "native_layer_norm"})
    m.impl(name, torch::CppFunction::makeFromBoxedFunction<&call_on_host>());
}

TORCH_LIBRARY_IMPL(_, PrivateUse1, m) {
  m.fallback(torch::CppFunction::makeFromBoxedFunction<&call_on_host>());
}

}  // namespace

at::Device standin_device() {
  TORCH_CHECK(same_bits_anywhere, "MKL_CBWR cannot be set");
  static const bool registered = [] {
    static Hooks hooks;
    c10::SetAllocator(kStandin, &memory());
    c10::register_privateuse1_backend("standin");
    at::RegisterPrivateUse1HooksInterface(&hooks);
    return true;
  }();
  (void)registered;
  return {kStandin, 0};
}

std::vector<std::string> take_read_backs() { return read_backs().take(); }

}  // namespace dualpath::testing
