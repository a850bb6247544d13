#include "modules/weights/device_counts.h"

#include <ATen/ATen.h>

#include <utility>

#include "modules/weights/not_finite.h"

namespace dualpath::modules {
namespace {

constexpr std::int64_t kBlock = 256;  // counters a block, made together

}  // namespace

thread_local DeviceCounts* DeviceCounts::newest_ = nullptr;

at::Tensor DeviceCounts::counter(at::Device device, Refuse refuse) {
  if (outer_) return outer_->counter(device, std::move(refuse));
  const std::int64_t place = static_cast<std::int64_t>(refusals_.size()) % kBlock;
  if (place == 0) blocks_.push_back(at::zeros({kBlock}, at::TensorOptions(device).dtype(at::kInt)));
  refusals_.push_back(std::move(refuse));
  return blocks_.back().narrow(0, place, 1);
}

at::Tensor DeviceCounts::counts() const {
  return blocks_.empty() ? at::Tensor() : at::cat(blocks_);
}

void DeviceCounts::check(const at::Tensor& read) {
  const std::vector<Refuse> refusals = std::exchange(refusals_, {});
  blocks_.clear();
  const at::Tensor counts = read.to(at::kLong);
  const auto* count = counts.const_data_ptr<std::int64_t>();
  for (const Refuse& refuse : refusals) {
    if (*count != 0) refuse(*count);
    ++count;
  }
}

void DeviceCounts::check() {
  if (!blocks_.empty()) check(counts().cpu());
}

void count_on_device(at::Device device, const std::function<void(const at::Tensor&)>& count,
                     DeviceCounts::Refuse refuse) {
  if (DeviceCounts* newest = DeviceCounts::newest()) {
    count(newest->counter(device, std::move(refuse)));
    return;
  }
  DeviceCounts alone;
  count(alone.counter(device, std::move(refuse)));
  alone.check();
}

void count_on_device(const std::string& what, const at::Tensor& values,
                     const std::function<void(const at::Tensor&)>& count) {
  const auto refuse = [what, numel = values.numel(), dtype = values.scalar_type()](
                          std::int64_t number) { refuse_not_finite(what, number, numel, dtype); };
  count_on_device(values.device(), count, refuse);
}

}  // namespace dualpath::modules
