#include "quant/plan/plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "data/files/checksum.h"
#include "quant/args_text.h"

namespace dualpath::quant {

using modules::Operand;

namespace {

std::string listed(const std::vector<Operand>& operands) {
  std::vector<std::string_view> names;
  for (const Operand operand : operands) names.push_back(name_of(operand));
  return fmt::format("{}", fmt::join(names, " "));
}

}  // namespace
std::vector<modules::Modality> TensorGroup::needed() const {
  return separate.empty() ? std::vector{stream} : separate;
}

std::string TensorGroup::scale_name(modules::Modality modality) const {
  return separate.empty() ? name : fmt::format("{}.{}", name, modules::name_of(modality));
}

bool PlannedLinear::takes_integer_gradients() const {
  return input_activations && weights.strategy == Strategy::kChannel && !is_head();
}

std::vector<std::string> PlannedAttention::head_groups(Operand operand) const {
  std::vector<std::string> groups;
  for (std::int64_t head = 0; head < ref.heads(operand); ++head)
    groups.push_back(fmt::format("{}.{}", ref.site(operand), head));
  return groups;
}

std::vector<Operand> PlannedAttention::operands() const {
  if (products) return {Operand::kQuery, Operand::kKey, Operand::kValue};
  return {Operand::kKey, Operand::kValue};
}

std::map<std::string, const PlannedLinear*> Plan::by_weight(
    const modules::WeightStore& weights) const {
  std::map<std::string, const PlannedLinear*> planned;
  for (const PlannedLinear& linear : linears)
    planned[weights.canonical(linear.ref.weight_name())] = &linear;
  return planned;
}

std::map<std::string, const PlannedConv*> Plan::convs_by_weight() const {
  std::map<std::string, const PlannedConv*> planned;
  for (const PlannedConv& conv : convs) planned[conv.ref.weight_name()] = &conv;
  return planned;
}

bool Plan::has_input_scale(const PlannedLinear& linear) const {
  const TensorGroup* group = groups.find(linear.group);
  return linear.is_static() && (!group || group->separate.empty());
}

bool Plan::has_static_groups() const {
  return std::any_of(groups.begin(), groups.end(),
                     [](const TensorGroup& group) { return !group.args.dynamic; });
}

Plan Plan::restricted(const std::function<bool(const std::string&)>& keeps) const {
  Plan kept;
  kept.ignored = ignored;
  kept.smoothing = smoothing;
  std::set<std::string> held;
  const auto take = [&](const auto& all, auto& into) {
    for (const auto& planned : all) {
      if (keeps(planned.name())) {
        held.insert(planned.stage);
        into.push_back(planned);
      } else {
        kept.ignored.push_back(planned.name());
      }
    }
  };
  take(linears, kept.linears);
  take(convs, kept.convs);
  take(attentions, kept.attentions);
  for (const PlannedSite& site : sites) {
    if (keeps(site.name())) kept.sites.push_back(site);
  }
  for (const TensorGroup& group : groups) {
    if (keeps(group.name)) kept.groups.push_back(group);
  }
  for (const PlannedFold& fold : folds) {
    if (keeps(fold.group)) kept.folds.push_back(fold);
  }
  for (const modules::CorrectableStage& stage : stages) {
    if (held.contains(stage.name)) kept.stages.push_back(stage);
  }
  return kept;
}

std::string Plan::fingerprint() const {
  std::string text;
  for (const PlannedLinear& l : linears) {
    text += fmt::format(
        "{} {}x{} {} [{}] [{}]\n", l.ref.name, l.ref.out_features, l.ref.in_features, l.group,
        spelled(l.weights, ArgsRole::kWeights),
        l.input_activations ? spelled(*l.input_activations, ArgsRole::kInputs) : "float");
  }
  for (const PlannedConv& c : convs) {
    text += fmt::format("{} {}x{}/{} [{}] [{}] [{}]\n", c.ref.name, c.ref.out_channels,
                        c.ref.in_channels, c.ref.groups, fmt::join(c.ref.kernel, "x"),
                        spelled(c.weights, ArgsRole::kWeights),
                        spelled(c.input_activations, ArgsRole::kInputs));
  }
  for (const PlannedAttention& a : attentions) {
    text +=
        fmt::format("{} {}/{}x{} {} [{}]\n", a.ref.name, a.ref.num_heads, a.ref.num_key_value_heads,
                    a.ref.head_dim, listed(a.operands()), spelled(a.args, ArgsRole::kOperands));
  }
  for (const TensorGroup& group : groups) {
    for (const modules::Modality modality : group.separate)
      text += fmt::format("scale: {}\n", group.scale_name(modality));
  }
  text += fmt::format("float: {}\n", fmt::join(ignored, " "));
  for (const PlannedFold& planned : folds)
    text += fmt::format("smoothed: {} {}\n", planned.group, planned.fold.weight);
  if (!folds.empty()) text += smoothing.search ? "searched" : fmt::to_string(smoothing.strength);
  return sha256_hex(std::as_bytes(std::span(text)));
}

}  // namespace dualpath::quant
