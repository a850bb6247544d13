#include "quant/observe_executor.h"

#include <ATen/ATen.h>

#include "data/base/error.h"

namespace dualpath::quant {

ObserveExecutor::ObserveExecutor(std::shared_ptr<const modules::WeightStore> weights,
                                 at::ScalarType dtype, const Plan& plan)
    : FloatExecutor(std::move(weights), dtype) {
  for (const TensorGroup& group : plan.groups) {
    if (!group.args.dynamic) observers_[group.name] = make_observer(group.args.observer);
  }
  for (const PlannedFold& planned : plan.folds) {
    const std::int64_t inputs = planned.fold.consumers.front().in_features;
    channel_ranges_[planned.group] = at::zeros({inputs});
  }
}

void ObserveExecutor::begin(const modules::Stage&, const modules::State& state) {
  mask_ = state.recomputed ? at::Tensor() : state.mask.flatten();
}

std::vector<at::Tensor> ObserveExecutor::linear(const modules::LinearRefs& refs,
                                                const at::Tensor& x) {
  const std::string site = refs.front().input_site();
  if (mask_.defined() && (observers_.contains(site) || channel_ranges_.contains(site)))
    observe(site, x);
  return FloatExecutor::linear(refs, x);
}

void ObserveExecutor::observe(const std::string& site, const at::Tensor& x) {
  const at::Tensor rows = x.detach().reshape({-1, x.size(-1)});
  if (!at::isfinite(rows).all().item<bool>()) throw Error("{}: values are not finite", site);
  const auto observer = observers_.find(site);
  if (observer != observers_.end()) observer->second->observe(rows, mask_);
  const auto range = channel_ranges_.find(site);
  if (range == channel_ranges_.end()) return;
  const at::Tensor counted = rows.index({mask_});
  if (counted.size(0) > 0)
    range->second = at::maximum(range->second, counted.abs().amax(0).to(at::kFloat));
}

}  // namespace dualpath::quant
