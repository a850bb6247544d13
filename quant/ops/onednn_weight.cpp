#include "quant/ops/onednn_weight.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "quant/kernels/pack_blocks.h"

namespace at::native {
// Of libtorch_cpu, in no header of the wheel.
TORCH_API void* data_ptr_from_mkldnn(const Tensor& mkldnn_tensor);
TORCH_API std::int64_t nbytes_from_mkldnn(const Tensor& mkldnn_tensor);
}  // namespace at::native

namespace dualpath::quant {
namespace {

using at::Tensor;

/// Blocks and compensation, as one run of bytes.
void pack_into(const Tensor& codes, void* bytes) {
  const std::int64_t outputs = codes.size(0), inputs = codes.size(1);
  auto* packed = static_cast<std::int8_t*>(bytes);
  auto* compensation = reinterpret_cast<std::int32_t*>(packed + outputs * inputs);
  at::parallel_for(0, outputs / kPackedBlock, 1, [&](std::int64_t begin, std::int64_t end) {
    pack_blocks_cpu(codes.const_data_ptr<std::int8_t>(), inputs, begin * kPackedBlock,
                    end * kPackedBlock, packed, compensation);
  });
}

bool has_our_size(const Tensor& codes, const Tensor& packed) {
  const std::int64_t outputs = codes.size(0), inputs = codes.size(1);
  return outputs % kPackedBlock == 0 && inputs % kPackedBlock == 0 &&
         at::native::nbytes_from_mkldnn(packed) ==
             outputs * inputs + outputs * static_cast<std::int64_t>(sizeof(std::int32_t));
}

/// Whether oneDNN has packed these codes as we would.
bool has_our_bytes(const Tensor& codes, const Tensor& packed) {
  if (!has_our_size(codes, packed)) return false;
  const Tensor ours = at::empty({at::native::nbytes_from_mkldnn(packed)}, at::kByte);
  pack_into(codes, ours.mutable_data_ptr());
  return std::memcmp(ours.const_data_ptr(), at::native::data_ptr_from_mkldnn(packed),
                     static_cast<std::size_t>(ours.numel())) == 0;
}

/// What has been seen of each shape of weight in this process.
class Shapes {
 public:
  /// Nothing if the shape is met for the first time.
  std::optional<bool> ours(const Tensor& codes) {
    const std::lock_guard lock(mutex_);
    const auto found = seen_.find(key(codes));
    return found == seen_.end() ? std::nullopt : std::optional(found->second);
  }
  void set(const Tensor& codes, bool ours) {
    const std::lock_guard lock(mutex_);
    seen_[key(codes)] = ours;
  }

 private:
  using Key = std::pair<std::int64_t, std::int64_t>;
  static Key key(const Tensor& codes) { return {codes.size(0), codes.size(1)}; }

  std::mutex mutex_;
  std::map<Key, bool> seen_;
};

Shapes& shapes() {
  static Shapes shapes;
  return shapes;
}

}  // namespace

Tensor onednn_pack(const Tensor& codes) {
  const c10::OperatorHandle op =
      c10::Dispatcher::singleton().findSchemaOrThrow("onednn::qlinear_prepack", "");
  c10::Stack arguments{codes, c10::IValue()};
  op.callBoxed(arguments);
  return arguments.front().toTensor();
}

void onednn_repack(const Tensor& codes, Tensor& packed) {
  const std::optional<bool> ours = shapes().ours(codes);
  if (ours.value_or(false)) return pack_into(codes, at::native::data_ptr_from_mkldnn(packed));
  packed.reset();  // the old one gives its memory to the new
  packed = onednn_pack(codes);
  if (!ours) shapes().set(codes, has_our_bytes(codes, packed));
}

}  // namespace dualpath::quant
