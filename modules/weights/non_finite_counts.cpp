#include "modules/weights/non_finite_counts.h"

#include <ATen/ATen.h>

#include "modules/weights/not_finite.h"

namespace dualpath::modules {
namespace {

constexpr std::int64_t kBlock = 256;  // counters a block, made together

}  // namespace

thread_local NonFiniteCounts* NonFiniteCounts::newest_ = nullptr;

at::Tensor NonFiniteCounts::counter(const std::string& what, const at::Tensor& values) {
  const std::int64_t place = static_cast<std::int64_t>(counted_.size()) % kBlock;
  if (place == 0) blocks_.push_back(at::zeros({kBlock}, values.options().dtype(at::kInt)));
  counted_.push_back({what, values.numel(), values.scalar_type()});
  return blocks_.back().narrow(0, place, 1);
}

void NonFiniteCounts::check() {
  if (counted_.empty()) return;
  const at::Tensor counts = at::cat(blocks_).cpu();
  const std::vector<Counted> counted = std::move(counted_);
  counted_.clear();
  blocks_.clear();
  const auto* count = counts.const_data_ptr<std::int32_t>();
  for (const auto& [what, numel, dtype] : counted) refuse_not_finite(what, *count++, numel, dtype);
}

void count_on_device(const std::string& what, const at::Tensor& values,
                     const std::function<void(const at::Tensor&)>& count) {
  if (NonFiniteCounts* stage = NonFiniteCounts::newest()) {
    count(stage->counter(what, values));
    return;
  }
  NonFiniteCounts alone;
  count(alone.counter(what, values));
  alone.check();
}

}  // namespace dualpath::modules
