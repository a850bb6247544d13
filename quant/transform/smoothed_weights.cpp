#include "quant/transform/smoothed_weights.h"

#include <ATen/ATen.h>

namespace dualpath::quant {

using at::Tensor;

Tensor spread(const Tensor& factors, const modules::ChannelFold& fold) {
  if (fold.repeats == 1) return factors;
  return factors.view({-1, 1, fold.block}).expand({-1, fold.repeats, -1}).reshape(-1);
}

SmoothedWeights::SmoothedWeights(std::shared_ptr<const modules::WeightStore> below,
                                 const std::vector<PlannedFold>& folds,
                                 const modules::NamedTensors& factors)
    : LayeredStore(std::move(below)) {
  for (const auto& [group, fold] : folds) {
    const Tensor& made = factors.at(group);
    scalings_.insert({canonical(fold.weight), {made, /*divides=*/true, fold.first_row}});
    if (!fold.bias.empty())
      scalings_.insert({canonical(fold.bias), {made, /*divides=*/true, fold.first_row}});
    for (const modules::LinearRef& consumer : fold.consumers)
      scalings_.insert(
          {canonical(consumer.weight_name()), {spread(made, fold), /*divides=*/false, 0}});
  }
}

bool SmoothedWeights::is_changed(const std::string& name) const {
  return scalings_.contains(canonical(name)) || LayeredStore::is_changed(name);
}

modules::WeightInfo SmoothedWeights::info(const std::string& name) const {
  const modules::WeightInfo info = LayeredStore::info(name);
  if (!scalings_.contains(canonical(name))) return info;
  return {at::kFloat, info.shape, /*decoded=*/true};
}

Tensor SmoothedWeights::get(const std::string& name) const {
  Tensor value = LayeredStore::get(name);
  const auto [first, last] = scalings_.equal_range(canonical(name));
  if (first == last) return value;
  value = value.to(at::kFloat, /*non_blocking=*/false, /*copy=*/true).contiguous();
  for (auto at = first; at != last; ++at) {
    const auto& [factors, divides, first_row] = at->second;
    if (!divides) {
      value.flatten(1).mul_(factors);  // a view: a pointwise convolution's is [out, in, 1]
      continue;
    }
    const Tensor rows = value.narrow(0, first_row, factors.numel());
    if (value.dim() == 1) {
      rows.div_(factors);
    } else {
      rows.flatten(1).div_(factors.unsqueeze(1));
    }
  }
  return value;
}

std::shared_ptr<const modules::WeightStore> smoothed(
    std::shared_ptr<const modules::WeightStore> weights, const Plan& plan,
    const modules::NamedTensors& factors) {
  if (plan.folds.empty()) return weights;
  return std::make_shared<SmoothedWeights>(std::move(weights), plan.folds, factors);
}

}  // namespace dualpath::quant
