#include "modules/execute/compute_weights.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "modules/ops/bfloat16_products.h"
#include "modules/weights/device_counts.h"
#include "modules/weights/not_finite.h"
#include "modules/weights/to_device.h"

namespace dualpath::modules {

ComputeWeights::ComputeWeights(std::shared_ptr<const WeightStore> store, at::TensorOptions options,
                               Preparation preparation)
    : store_(std::move(store)),
      dtype_(c10::typeMetaToScalarType(options.dtype())),
      device_(options.device()),
      preparation_(preparation) {
  if (dtype_ == at::kBFloat16 && device_.is_cpu()) speed_up_bfloat16_products();
}

at::Tensor ComputeWeights::get(const std::string& name, at::ScalarType dtype) {
  const std::string key = store_->canonical(name);
  if (below_ && !store_->is_changed(key)) return below_->get(key, dtype);
  if (store_->is_trained(key)) return converted(key, dtype);
  at::Tensor& kept = kept_[key].value;
  if (!kept.defined() || kept.scalar_type() != dtype) kept = frozen(key, dtype);
  return kept;
}

at::Tensor ComputeWeights::frozen(const std::string& key, at::ScalarType dtype) const {
  const at::Tensor stored = store_->get(key);
  if (device_.is_cpu() || device_.is_meta()) return finite_weight(key, stored.to(device_), dtype);
  const at::Tensor weight = to_device(stored, device_).to(dtype);
  const auto refuse = [store = store_, key, dtype](std::int64_t) {
    finite_weight(key, store->get(key),
                  dtype);  // finds the value on the host again, and its reason
  };
  count_on_device(
      device_, [&](const at::Tensor& counter) { counter.add_(not_finite_sum(weight)); }, refuse);
  return weight;
}

std::shared_ptr<PreparedMatrix> ComputeWeights::prepared(const std::string& name) {
  const std::string key = store_->canonical(name);
  if (store_->is_trained(key)) return nullptr;
  if (below_ && !store_->is_changed(key)) return below_->prepared(key);
  const auto [entry, is_new] = prepared_.try_emplace(key);
  if (is_new && can_prepare(dtype_, device_)) {
    const auto plain = [store = store_, dtype = dtype_, key] {
      return finite_weight(key, store->get(key), dtype).flatten(1);
    };
    entry->second = std::make_shared<PreparedMatrix>(plain);
  }
  return entry->second;
}

void ComputeWeights::release() {
  kept_.clear();
  prepared_.clear();
  if (below_) below_->release();
}

/// Converts once for all uses of a step: each use's gradient flows through it to the trained
/// tensor. One converted without a graph serves only where no gradient is wanted.
at::Tensor ComputeWeights::converted(const std::string& key, at::ScalarType dtype) {
  const at::Tensor source = store_->get(key);
  if (source.scalar_type() == dtype && source.device().type() == device_.type()) return source;
  Kept& kept = kept_[key];
  const bool current = kept.value.defined() && kept.value.scalar_type() == dtype &&
                       kept.source.is_same(source) && kept.version == source._version();
  const bool needs_graph = at::GradMode::is_enabled() && source.requires_grad();
  if (!current || (needs_graph && !kept.value.requires_grad()))
    kept = {source.to(device_, dtype), source, static_cast<std::uint32_t>(source._version())};
  return kept.value;
}

}  // namespace dualpath::modules
