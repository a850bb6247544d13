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
}

void ObserveExecutor::begin(const modules::Stage&, const modules::State& state) {
  mask_ = state.recomputed ? at::Tensor() : state.mask.flatten();
}

std::vector<at::Tensor> ObserveExecutor::linear(const modules::LinearRefs& refs,
                                                const at::Tensor& x) {
  const std::string site = refs.front().input_site();
  const auto observer = observers_.find(site);
  if (observer != observers_.end() && mask_.defined()) {
    const at::Tensor rows = x.detach().reshape({-1, x.size(-1)});
    if (!at::isfinite(rows).all().item<bool>()) throw Error("{}: values are not finite", site);
    observer->second->observe(rows, mask_);
  }
  return FloatExecutor::linear(refs, x);
}

}  // namespace dualpath::quant
