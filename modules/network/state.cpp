#include "modules/network/state.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <vector>

namespace dualpath::modules {
namespace {

/// Puts `more` [B, heads, T, D] behind the first `length` positions of `held`, which moves to twice
/// the room when it is full. Returns all that is then held.
at::Tensor put(at::Tensor& held, std::int64_t length, const at::Tensor& more) {
  const std::int64_t wanted = length + more.size(2);
  if (!held.defined() || wanted > held.size(2)) {
    std::vector<std::int64_t> sizes = more.sizes().vec();
    sizes[2] = std::max(wanted, 2 * length);
    const at::Tensor roomier = at::empty(sizes, more.options());
    if (held.defined()) roomier.narrow(2, 0, length).copy_(held.narrow(2, 0, length));
    held = roomier;
  }
  held.narrow(2, length, more.size(2)).copy_(more);
  return held.narrow(2, 0, wanted);
}

}  // namespace

std::pair<at::Tensor, at::Tensor> KvCache::append(const std::string& name, const at::Tensor& k,
                                                  const at::Tensor& v) {
  Entry& entry = entries_[name];
  const std::pair all(put(entry.keys, entry.length, k), put(entry.values, entry.length, v));
  entry.length += k.size(2);
  return all;
}

std::int64_t KvCache::length() const {
  return entries_.empty() ? 0 : entries_.begin()->second.length;
}

State make_state(const at::Tensor& ids, const at::Tensor& mask, KvCache* cache) {
  const std::int64_t start = cache ? cache->next_position() : 0;
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
