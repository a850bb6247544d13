#include "modules/state.h"

#include <ATen/ATen.h>

namespace dualpath::modules {

std::pair<at::Tensor, at::Tensor> KvCache::append(const std::string& name, const at::Tensor& k,
                                                  const at::Tensor& v) {
  auto& [keys, values] = entries_[name];
  keys = keys.defined() ? at::cat({keys, k}, /*dim=*/2) : k;
  values = values.defined() ? at::cat({values, v}, /*dim=*/2) : v;
  return {keys, values};
}

std::int64_t KvCache::length() const {
  return entries_.empty() ? 0 : entries_.begin()->second.first.size(2);
}

State make_state(const at::Tensor& ids, const at::Tensor& mask, KvCache* cache) {
  const std::int64_t start = cache ? cache->length() : 0;
  State state;
  state.ids = ids;
  state.mask = mask;
  state.positions =
      at::arange(start, start + ids.size(1), ids.options()).unsqueeze(0).expand(ids.sizes());
  state.cache = cache;
  return state;
}

State make_state(const at::Tensor& ids, KvCache* cache) {
  return make_state(ids, at::ones_like(ids, at::kBool), cache);
}

}  // namespace dualpath::modules
