#include "quant/calibrate/observe_executor.h"

#include <ATen/ATen.h>

#include "modules/execute/compute_weights.h"
#include "modules/weights/not_finite.h"

namespace dualpath::quant {
namespace {

/// Between a group's name and its rows'; no name holds it.
constexpr const char* kBetween = "|";
constexpr const char* kChannels = "|channels";

/// Picks one group's entries of `seen`, by rows.
modules::NamedTensors of_group(const std::string& group, const modules::NamedTensors& seen) {
  const std::string prefix = group + kBetween;
  modules::NamedTensors own;
  for (auto entry = seen.lower_bound(prefix);
       entry != seen.end() && entry->first.starts_with(prefix); ++entry)
    own[entry->first.substr(prefix.size())] = entry->second;
  return own;
}

/// The largest magnitude in each channel of chosen rows; 0 if there are none. x: [N, C]; chosen:
/// [N] bool.
at::Tensor largest(const at::Tensor& x, const at::Tensor& chosen) {
  if (!x.is_cpu()) return x.abs().masked_fill_(chosen.logical_not().unsqueeze(1), 0.0).amax(0);
  const at::Tensor seen = x.index({chosen});
  return seen.size(0) > 0 ? seen.abs().amax(0) : at::zeros({x.size(1)}, x.options());
}

}  // namespace

using modules::Operand;

ObserveExecutor::ObserveExecutor(std::shared_ptr<const modules::WeightStore> weights,
                                 at::TensorOptions options, const Plan& plan)
    : FloatExecutor(std::move(weights), options, modules::Preparation::kLinears), plan_(plan) {
  clear();
}

void ObserveExecutor::clear() {
  observers_.clear();
  for (const TensorGroup& group : plan_.groups) {
    if (!group.args.dynamic) observers_.emplace(group.name, group.args.observer);
  }
  for (const PlannedFold& planned : plan_.folds) {
    const std::int64_t inputs = planned.fold.consumers.front().in_features;
    channel_ranges_[planned.group] = at::zeros({inputs}, device());
  }
}

void ObserveExecutor::begin(const modules::Stage& stage, const modules::State& state) {
  state_ = state.recomputed ? nullptr : &state;
  stream_ = stage.stream;
}

at::Tensor ObserveExecutor::conv(const modules::ConvRef& ref, const at::Tensor& x) {
  const std::string site = ref.input_site();
  if (state_ && observers_.contains(site)) observe(site, x, {{stream_, all_rows(x)}});
  return FloatExecutor::conv(ref, x);
}

std::vector<at::Tensor> ObserveExecutor::linear(const modules::LinearRefs& refs,
                                                const at::Tensor& x) {
  for (const modules::LinearRef& ref : refs) {
    const std::string site = ref.input_site();
    if (state_ && (observers_.contains(site) || channel_ranges_.contains(site))) observe(site, x);
  }
  return FloatExecutor::linear(refs, x);
}

at::Tensor ObserveExecutor::attention(const modules::AttentionRef& ref, const at::Tensor& q,
                                      const at::Tensor& k, const at::Tensor& v,
                                      const modules::AttentionContext& context) {
  const PlannedAttention* planned = plan_.attentions.find(ref.name);
  if (state_ && planned) {
    if (planned->products) observe_heads(planned->head_groups(Operand::kQuery), q);
    observe_heads(planned->head_groups(Operand::kKey), k);
    observe_heads(planned->head_groups(Operand::kValue), v);
  }
  return FloatExecutor::attention(ref, q, k, v, context);
}

/// Shows each head's values to its group's observer. x: [B, heads, T, D].
void ObserveExecutor::observe_heads(const std::vector<std::string>& groups, const at::Tensor& x) {
  for (std::size_t head = 0; head < groups.size(); ++head)
    observe(groups[head], x.select(1, static_cast<std::int64_t>(head)));
}

void ObserveExecutor::observe(const std::string& site, const at::Tensor& x) {
  observe(site, x, rows_by_modality(x, *state_, stream_));
}

void ObserveExecutor::observe(const std::string& site, const at::Tensor& x,
                              const std::vector<ModalityRows>& counted) {
  const at::Tensor rows = x.detach().reshape({-1, x.size(-1)});
  modules::require_finite(site, rows);
  const auto observer = observers_.find(site);
  if (observer != observers_.end()) observer->second.observe(rows, counted);
  const auto channels = channel_ranges_.find(site);
  if (channels == channel_ranges_.end()) return;
  for (const ModalityRows& some : counted) {
    channels->second = at::maximum(channels->second, largest(rows, some.rows).to(at::kFloat));
  }
}

modules::NamedTensors ObserveExecutor::channel_ranges() const {
  modules::NamedTensors ranges;
  for (const auto& [group, range] : channel_ranges_) ranges[group] = range.cpu();
  return ranges;
}

modules::NamedTensors ObserveExecutor::seen() const {
  modules::NamedTensors seen;
  for (const auto& [group, observer] : observers_) {
    for (const auto& [rows, calls] : observer.seen()) seen[group + kBetween + rows] = calls;
  }
  for (const auto& [group, range] : channel_ranges_) seen[group + kChannels] = range;
  return seen;
}

void ObserveExecutor::replace(const std::vector<modules::NamedTensors>& shards) {
  clear();
  for (const modules::NamedTensors& shard : shards) {
    for (auto& [group, observer] : observers_) observer.add(of_group(group, shard));
    for (auto& [group, range] : channel_ranges_)
      range = at::maximum(range, shard.at(group + kChannels).to(device()));
  }
}

}  // namespace dualpath::quant
