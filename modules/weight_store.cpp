#include "modules/weight_store.h"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>
#include <c10/util/accumulate.h>

#include <algorithm>

#include "modules/not_finite.h"

namespace dualpath::modules {

std::int64_t parameter_count(const WeightStore& weights) {
  std::int64_t count = 0;
  for (const std::string& name : weights.names())
    count += c10::multiply_integers(weights.info(name).shape);
  return count;
}

TiedWeights::TiedWeights(std::shared_ptr<const WeightStore> below,
                         std::map<std::string, std::string> aliases)
    : below_(std::move(below)), aliases_(std::move(aliases)) {
  for (const std::string& name : below_->names())
    if (canonical(name) == name) names_.push_back(name);
}

bool TiedWeights::contains(const std::string& name) const {
  return below_->contains(canonical(name));
}

WeightInfo TiedWeights::info(const std::string& name) const {
  return below_->info(canonical(name));
}

at::Tensor TiedWeights::get(const std::string& name) const { return below_->get(canonical(name)); }

std::string TiedWeights::canonical(const std::string& name) const {
  for (const auto& [alias, target] : aliases_) {
    if (name.starts_with(alias)) return below_->canonical(target + name.substr(alias.size()));
  }
  return below_->canonical(name);
}

RenamedWeight::RenamedWeight(std::shared_ptr<const WeightStore> below, std::string theirs,
                             std::string ours)
    : below_(std::move(below)),
      theirs_(std::move(theirs)),
      ours_(std::move(ours)),
      names_(below_->names()) {
  std::replace(names_.begin(), names_.end(), theirs_, ours_);
  std::sort(names_.begin(), names_.end());
}

void WeightOverlay::set(const std::string& name, at::Tensor value) {
  TORCH_CHECK(value.sizes() == below_->info(name).shape, name, ": the overlay has another shape");
  trained_[canonical(name)] = std::move(value);
}

WeightInfo WeightOverlay::info(const std::string& name) const {
  const auto trained = trained_.find(canonical(name));
  if (trained == trained_.end()) return below_->info(name);
  return {trained->second.scalar_type(), trained->second.sizes().vec(), /*decoded=*/true};
}

at::Tensor WeightOverlay::get(const std::string& name) const {
  const auto trained = trained_.find(canonical(name));
  return trained == trained_.end() ? below_->get(name) : trained->second;
}

at::Tensor ComputeWeights::get(const std::string& name, at::ScalarType dtype) {
  const std::string key = store_->canonical(name);
  if (below_ && !store_->is_changed(key)) return below_->get(key, dtype);
  if (store_->is_trained(key)) return converted(key, dtype);
  at::Tensor& kept = kept_[key].value;
  if (!kept.defined() || kept.scalar_type() != dtype)
    kept = finite_weight(key, store_->get(key), dtype);
  return kept;
}

std::shared_ptr<PackedMatrix> ComputeWeights::packed(const std::string& name) {
  const std::string key = store_->canonical(name);
  if (store_->is_trained(key)) return nullptr;
  if (below_ && !store_->is_changed(key)) return below_->packed(key);
  const auto [entry, is_new] = packed_.try_emplace(key);
  if (is_new && packs(dtype_, at::kCPU)) {
    const auto plain = [store = store_, dtype = dtype_, key] {
      return finite_weight(key, store->get(key), dtype).flatten(1);
    };
    entry->second = std::make_shared<PackedMatrix>(plain);
  }
  return entry->second;
}

/// One conversion serves all uses of a step: the gradient of each flows through it to the trained
/// tensor. One that was made without a graph serves only where none is wanted.
at::Tensor ComputeWeights::converted(const std::string& key, at::ScalarType dtype) {
  const at::Tensor source = store_->get(key);
  if (source.scalar_type() == dtype) return source;
  Kept& kept = kept_[key];
  const bool current = kept.value.defined() && kept.value.scalar_type() == dtype &&
                       kept.source.is_same(source) && kept.version == source._version();
  const bool needs_graph = at::GradMode::is_enabled() && source.requires_grad();
  if (!current || (needs_graph && !kept.value.requires_grad()))
    kept = {source.to(dtype), source, static_cast<std::uint32_t>(source._version())};
  return kept.value;
}

}  // namespace dualpath::modules
