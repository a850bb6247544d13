#include "modules/weights/weight_store.h"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>
#include <c10/util/accumulate.h>

#include <algorithm>

namespace dualpath::modules {

std::int64_t parameter_count(const WeightStore& weights) {
  std::int64_t count = 0;
  for (const std::string& name : weights.names())
    count += c10::multiply_integers(weights.info(name).shape);
  return count;
}

TiedWeights::TiedWeights(std::shared_ptr<const WeightStore> below,
                         std::map<std::string, std::string> aliases)
    : LayeredStore(std::move(below)), aliases_(std::move(aliases)) {
  for (const std::string& name : this->below().names())
    if (canonical(name) == name) names_.push_back(name);
}

std::string TiedWeights::name_below(const std::string& name) const {
  for (const auto& [alias, target] : aliases_) {
    if (name.starts_with(alias)) return target + name.substr(alias.size());
  }
  return name;
}

RenamedWeight::RenamedWeight(std::shared_ptr<const WeightStore> below, std::string theirs,
                             std::string ours)
    : LayeredStore(std::move(below)),
      theirs_(std::move(theirs)),
      ours_(std::move(ours)),
      names_(this->below().names()) {
  std::replace(names_.begin(), names_.end(), theirs_, ours_);
  std::sort(names_.begin(), names_.end());
}

std::string RenamedWeight::canonical(const std::string& name) const {
  std::string stored = LayeredStore::canonical(name);
  return stored == theirs_ ? ours_ : stored;
}

void WeightOverlay::set(const std::string& name, at::Tensor value) {
  TORCH_CHECK(value.sizes() == below().info(name).shape, name, ": the overlay has another shape");
  trained_[canonical(name)] = std::move(value);
}

WeightInfo WeightOverlay::info(const std::string& name) const {
  const auto trained = trained_.find(canonical(name));
  if (trained == trained_.end()) return LayeredStore::info(name);
  return {trained->second.scalar_type(), trained->second.sizes().vec(), /*decoded=*/true};
}

at::Tensor WeightOverlay::get(const std::string& name) const {
  const auto trained = trained_.find(canonical(name));
  return trained == trained_.end() ? LayeredStore::get(name) : trained->second;
}

bool WeightOverlay::is_trained(const std::string& name) const {
  return trained_.contains(canonical(name)) || LayeredStore::is_trained(name);
}

bool WeightOverlay::is_changed(const std::string& name) const {
  return trained_.contains(canonical(name)) || LayeredStore::is_changed(name);
}

}  // namespace dualpath::modules
