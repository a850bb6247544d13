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
  for (const PlannedAttention& attention : plan.attentions)
    attentions_[attention.ref.name] = &attention;
  for (const PlannedFold& planned : plan.folds) {
    const std::int64_t inputs = planned.fold.consumers.front().in_features;
    channel_ranges_[planned.group] = at::zeros({inputs});
  }
}

void ObserveExecutor::begin(const modules::Stage& stage, const modules::State& state) {
  stream_ = state.recomputed ? nullptr : &state.stream(stage.stream);
}

at::Tensor ObserveExecutor::conv(const modules::ConvRef& ref, const at::Tensor& x) {
  const std::string site = ref.input_site();
  const std::int64_t rows = x.numel() / x.size(-1);
  if (stream_ && observers_.contains(site))
    observe(site, x, at::ones({rows}, x.options().dtype(at::kBool)));
  return FloatExecutor::conv(ref, x);
}

std::vector<at::Tensor> ObserveExecutor::linear(const modules::LinearRefs& refs,
                                                const at::Tensor& x) {
  for (const modules::LinearRef& ref : refs) {
    const std::string site = ref.input_site();
    if (stream_ && (observers_.contains(site) || channel_ranges_.contains(site))) observe(site, x);
  }
  return FloatExecutor::linear(refs, x);
}

at::Tensor ObserveExecutor::attention(const modules::AttentionRef& ref, const at::Tensor& q,
                                      const at::Tensor& k, const at::Tensor& v,
                                      const modules::AttentionContext& context) {
  const auto found = attentions_.find(ref.name);
  if (stream_ && found != attentions_.end()) {
    const PlannedAttention& planned = *found->second;
    if (planned.products) observe_heads(planned.head_groups("query"), q);
    observe_heads(planned.head_groups("key"), k);
    observe_heads(planned.head_groups("value"), v);
  }
  return FloatExecutor::attention(ref, q, k, v, context);
}

/// x: [B, heads, T, D].
void ObserveExecutor::observe_heads(const std::vector<std::string>& groups, const at::Tensor& x) {
  for (std::size_t head = 0; head < groups.size(); ++head)
    observe(groups[head], x.select(1, static_cast<std::int64_t>(head)));
}

void ObserveExecutor::observe(const std::string& site, const at::Tensor& x) {
  observe(site, x, stream_->mask.flatten());
}

void ObserveExecutor::observe(const std::string& site, const at::Tensor& x,
                              const at::Tensor& mask) {
  const at::Tensor rows = x.detach().reshape({-1, x.size(-1)});
  if (!at::isfinite(rows).all().item<bool>()) throw Error("{}: values are not finite", site);
  const auto observer = observers_.find(site);
  if (observer != observers_.end()) observer->second->observe(rows, mask);
  const auto range = channel_ranges_.find(site);
  if (range == channel_ranges_.end()) return;
  const at::Tensor counted = rows.index({mask});
  if (counted.size(0) > 0)
    range->second = at::maximum(range->second, counted.abs().amax(0).to(at::kFloat));
}

}  // namespace dualpath::quant
