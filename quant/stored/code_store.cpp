#include "quant/stored/code_store.h"

#include <ATen/ATen.h>

#include "quant/stored/stored_weight.h"

namespace dualpath::quant {

std::shared_ptr<const GridWeight> CodeStore::get(const PlannedLinear& linear) {
  Entry& entry = entries_[linear.ref.name];
  if (entry.set) return entry.set;
  if (weights_->is_trained(linear.ref.weight_name())) return get_trained(linear, entry);
  std::shared_ptr<const GridWeight> codes = entry.shared.lock();
  if (!codes) codes = std::make_shared<const GridWeight>(grid_weight(*weights_, linear, device_));
  entry.shared = codes;
  return codes;
}

std::shared_ptr<const GridWeight> CodeStore::get_trained(const PlannedLinear& linear,
                                                         Entry& entry) {
  const at::Tensor source = weights_->get(linear.ref.weight_name());
  const bool is_same = source.is_same(entry.source) && source._version() == entry.version;
  std::shared_ptr<const GridWeight> codes = entry.shared.lock();
  if (codes && is_same) return codes;
  TORCH_CHECK(source.scalar_type() == at::kFloat, linear.ref.weight_site(),
              ": trained in another dtype than float32");
  codes = std::make_shared<const GridWeight>(grid_weight(*weights_, linear, device_));
  entry.shared = codes;
  entry.source = source;
  entry.version = source._version();
  return codes;
}

void CodeStore::set(const PlannedLinear& linear, GridWeight codes) {
  const modules::LinearRef& ref = linear.ref;
  TORCH_CHECK(!weights_->is_trained(ref.weight_name()), ref.name, ": codes of a trained weight");
  const std::vector<std::int64_t> shape{ref.out_features, ref.in_features};
  TORCH_CHECK(codes.args == linear.weights && codes.codes.sizes() == shape, ref.name,
              ": codes of another weight than is planned");
  Entry& entry = entries_[ref.name];
  TORCH_CHECK(entry.shared.expired(), ref.name, ": its codes are in use already");
  entry.set = std::make_shared<const GridWeight>(codes.to(device_));
}

}  // namespace dualpath::quant
