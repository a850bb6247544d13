#include "quant/plan/planner.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "data/base/names_in_ranges.h"
#include "data/base/nearest.h"
#include "data/base/recipe_mistakes.h"
#include "data/patterns/target.h"
#include "quant/args_text.h"
#include "quant/plan/sites.h"

namespace dualpath::quant {
namespace {

using modules::AttentionUse;
using modules::ConvRef;
using modules::ConvUse;
using modules::LinearRef;
using modules::LinearUse;
using modules::Structure;

/// A module that patterns may target: its name, and its class as torch.nn calls it.
struct Target {
  std::string name, kind;
};

std::string conv_class(std::size_t dimensions) { return fmt::format("Conv{}d", dimensions); }

/// The target of a linear. A convolution of kernel 1 is a linear over channels.
Target target_of(const LinearRef& ref) {
  const bool is_linear = std::all_of(ref.kernel.begin(), ref.kernel.end(),
                                     [](std::int64_t size) { return size == 1; });
  return {ref.name, is_linear ? "Linear" : conv_class(ref.kernel.size())};
}

/// The target of a convolution. Depthwise ones have little to win and much to lose, so no class
/// names them.
Target target_of(const ConvRef& ref) {
  return {ref.name, ref.groups == 1 ? conv_class(ref.kernel.size()) : ""};
}

bool targets(const std::string& pattern, const Target& target) {
  return pattern == target.kind || data::matches(pattern, target.name);
}

/// The scheme of one linear or convolution: a config group's, with what overrides it.
struct Scheme {
  const ConfigGroup* group;
  QuantArgs weights;
  std::optional<QuantArgs> inputs;

  bool operator==(const Scheme&) const = default;
};

class Planner {
 public:
  Planner(const Structure& structure, const QuantizeOptions& options)
      : structure_(structure), options_(options), sites_(sites_of(structure)) {
    for (const LinearUse& use : structure.linears) {
      for (const LinearRef& ref : use.refs) targets_.push_back(target_of(ref));
    }
    for (const ConvUse& use : structure.convs) targets_.push_back(target_of(use.ref));
    for (const auto& [stage, stream] : structure.streams) modalities_.insert(stream);
    ignorable_ = targets_;
    for (const AttentionUse& use : structure.attentions) ignorable_.push_back({use.ref.name, ""});
  }

  Plan make() {
    require_matches();
    require_modalities();
    require_overrides();
    for (const LinearUse& use : structure_.linears) add(use);
    for (const ConvUse& use : structure_.convs) add(use);
    for (const AttentionUse& use : structure_.attentions) add(use);
    refuse_noted();
    refuse_unused_overrides();
    add_stages();
    if (options_.smoothing) add_folds(*options_.smoothing);
    if (!mistakes_.empty()) throw RecipeMistakes(std::move(mistakes_));
    return std::move(plan_);
  }

 private:
  void require_matches() {
    for (const ConfigGroup& group : options_.config_groups)
      require_matches(key_of(group) + ".targets", group.targets, targets_);
    require_matches("ignore", options_.ignore, ignorable_);
  }

  void require_matches(const std::string& key, const std::vector<std::string>& patterns,
                       const std::vector<Target>& all) {
    std::vector<std::string> names;  // classes, too
    for (const Target& one : all) names.insert(names.end(), {one.name, one.kind});
    std::erase(names, "");
    for (std::size_t i = 0; i < patterns.size(); ++i) {
      const auto hits = [&](const Target& target) { return targets(patterns[i], target); };
      if (std::ranges::none_of(all, hits))
        refuse(fmt::format("{}[{}]", key, i), data::unmatched(patterns[i], "linear", names));
    }
  }

  /// Notes a mistake. key: the part of its name below the recipe's `quantize`.
  void refuse(const std::string& key, const std::string& message) {
    mistakes_.push_back({"quantize." + key, message});
  }

  static std::string key_of(const ConfigGroup& group) { return "config_groups." + group.name; }

  /// The first group that targets a module. Null if the module is ignored or no group targets it.
  template <class Ref>
  const ConfigGroup* group_of(const Ref& ref) const {
    const Target target = target_of(ref);
    const auto hits = [&](const std::string& pattern) { return targets(pattern, target); };
    if (std::any_of(options_.ignore.begin(), options_.ignore.end(), hits)) return nullptr;
    for (const ConfigGroup& group : options_.config_groups) {
      if (std::any_of(group.targets.begin(), group.targets.end(), hits)) return &group;
    }
    return nullptr;
  }

  template <class Ref>
  std::optional<Scheme> scheme_of(const Ref& ref) {
    const ConfigGroup* group = group_of(ref);
    if (!group) return std::nullopt;
    Scheme scheme{group, group->weights, group->input_activations};
    if (const QuantArgs* own = override_of(ref.weight_site())) scheme.weights = *own;
    if (const QuantArgs* own = override_of(ref.input_site())) scheme.inputs = *own;
    return scheme;
  }

  /// Finds a site's override and marks it as used; null if there is none that holds.
  const QuantArgs* override_of(const std::string& site) {
    const auto found = overrides_.find(site);
    if (found == overrides_.end()) return nullptr;
    used_overrides_.insert(site);
    return found->second;
  }

  /// Keeps the overrides that can hold; notes the others' mistakes.
  void require_overrides() {
    for (const auto& [name, args] : options_.overrides) {
      if (const std::optional<std::string> mistake = mistake_of(name, args)) {
        refuse("overrides." + name, *mistake);
      } else {
        overrides_[name] = &args;
      }
    }
  }

  std::optional<std::string> mistake_of(const std::string& name, const QuantArgs& args) const {
    const modules::Site* site = sites_.find(name);
    if (!site) return fmt::format("is no site; nearest: {}", nearest(name, site_names()));
    if (site->role == modules::Role::kWeight) return mistake_in(args, ArgsRole::kWeights);
    if (site->role == modules::Role::kInput) return mistake_in(args, ArgsRole::kInputs);
    return "expected a weight or an input; operands follow attention_scheme and kv_cache_scheme";
  }

  std::vector<std::string> site_names() const {
    std::vector<std::string> names;
    for (const modules::Site& site : sites_) names.push_back(site.name);
    return names;
  }

  void refuse_unused_overrides() {
    for (const auto& [name, args] : overrides_) {
      if (!used_overrides_.contains(name))
        refuse("overrides." + name, "stays in float: no config group targets it");
    }
  }

  /// Adds linears of one input. Neighbours that are quantized alike become one tensor group.
  void add(const LinearUse& use) {
    for (auto first = use.refs.begin(); first != use.refs.end();) {
      const std::optional<Scheme> scheme = scheme_of(*first);
      const auto last = std::find_if(
          first, use.refs.end(), [&](const LinearRef& ref) { return scheme_of(ref) != scheme; });
      if (scheme) {
        add_quantized({use.stage, {first, last}}, *scheme);
      } else {
        for (auto ref = first; ref != last; ++ref) plan_.ignored.push_back(ref->name);
      }
      first = last;
    }
  }

  void add_quantized(const LinearUse& use, const Scheme& scheme) {
    const std::string group = use.refs.front().input_site();
    std::vector<modules::SiteName> inputs;
    for (const LinearRef& ref : use.refs) {
      note_undivided(ref, scheme);
      inputs.push_back(ref.input_site());
      plan_.linears.push_back(
          {ref, use.stage, group, scheme.weights, scheme.inputs, scheme.group->name});
      add_sites(ref, scheme, group);
    }
    if (scheme.inputs)
      plan_.groups.push_back({group, std::move(inputs), *scheme.inputs, stream_of(use.stage),
                              separate(use, *scheme.inputs)});
  }

  template <class Ref>
  void add_sites(const Ref& ref, const Scheme& scheme, const std::string& group) {
    plan_.sites.push_back({*sites_.find(ref.weight_site()), scheme.weights});
    if (scheme.inputs)
      plan_.sites.push_back({*sites_.find(ref.input_site()), *scheme.inputs, group});
  }

  void add(const ConvUse& use) {
    const std::optional<Scheme> scheme = scheme_of(use.ref);
    if (!scheme) return plan_.ignored.push_back(use.ref.name);
    const std::optional<QuantArgs>& inputs = scheme->inputs;
    const bool is_served = scheme->weights == kWeightInt8 && inputs && !inputs->dynamic;
    if (!is_served) {
      return refuse(key_of(*scheme->group),
                    fmt::format("expected 8-bit weights per channel and static inputs, since {} is "
                                "a convolution",
                                use.ref.name));
    }
    const std::string group = use.ref.input_site();
    plan_.convs.push_back(
        {use.ref, use.stage, group, scheme->weights, *inputs, scheme->group->name});
    plan_.groups.push_back({group, {group}, *inputs, stream_of(use.stage)});
    add_sites(use.ref, *scheme, group);
  }

  void add(const AttentionUse& use) {
    const bool products =
        options_.attention_scheme && !data::matches_any(options_.ignore, use.ref.name);
    if (options_.attention_scheme && !products) plan_.ignored.push_back(use.ref.name);
    if (!use.ref.causal) {  // sees all keys, has a mask or bias of its own, and no cache
      if (products) not_causal_.push_back(use.ref.name);
      return;
    }
    if (!products && !options_.kv_cache_scheme) return;
    const QuantArgs& args = products ? *options_.attention_scheme : *options_.kv_cache_scheme;
    const PlannedAttention planned{use.ref, use.stage, args, products};
    for (const modules::Operand operand : planned.operands()) {
      const modules::SiteName site = use.ref.site(operand);
      plan_.sites.push_back({*sites_.find(site), args});
      for (const std::string& head : planned.head_groups(operand))
        plan_.groups.push_back({head, {site}, args, stream_of(use.stage)});
    }
    plan_.attentions.push_back(planned);
  }

  /// The modalities with scales of their own. The head has none: it is given rows, but not what
  /// they stand for.
  std::vector<modules::Modality> separate(const LinearUse& use, const QuantArgs& inputs) const {
    const bool is_head = use.stage == use.refs.front().name;
    if (options_.modality_scales == ModalityScales::kShared || inputs.dynamic || is_head ||
        stream_of(use.stage) != modules::Modality::kText)
      return {};
    return {modalities_.begin(), modalities_.end()};
  }

  void require_modalities() {
    if (options_.modality_scales == ModalityScales::kSeparate && modalities_.size() < 2)
      refuse("modality_scales", "expected shared, since the model reads one modality");
  }

  modules::Modality stream_of(const std::string& stage) const {
    return structure_.streams.at(stage);
  }

  void add_stages() {
    std::set<std::string> quantized;
    for (const PlannedLinear& linear : plan_.linears) quantized.insert(linear.stage);
    for (const PlannedConv& conv : plan_.convs) quantized.insert(conv.stage);
    for (const PlannedAttention& attention : plan_.attentions) quantized.insert(attention.stage);
    for (const modules::CorrectableStage& stage : structure_.stages) {
      if (quantized.contains(stage.name)) plan_.stages.push_back(stage);
    }
  }

  void add_folds(const SmoothingOptions& smoothing) {
    plan_.smoothing = smoothing;
    for (const modules::ChannelFold& fold : structure_.folds) {
      const auto consumer =
          std::find_if(fold.consumers.begin(), fold.consumers.end(), [&](const LinearRef& ref) {
            const PlannedLinear* linear = plan_.linear(ref.name);
            return linear && linear->input_activations;
          });
      if (consumer != fold.consumers.end())
        plan_.folds.push_back({plan_.linear(consumer->name)->group, fold});
    }
    if (plan_.folds.empty())
      refuse("smoothing", "no quantized input has channels that can be folded");
  }

  void note_undivided(const LinearRef& ref, const Scheme& scheme) {
    const QuantArgs& weights = scheme.weights;
    if (weights.strategy != Strategy::kGroup || ref.in_features % weights.group_size == 0) return;
    const std::string key = overrides_.contains(ref.weight_site())
                                ? "overrides." + ref.weight_site()
                                : key_of(*scheme.group) + ".weights";
    auto noted =
        std::ranges::find_if(undivided_, [&](const Undivided& other) { return other.key == key; });
    if (noted == undivided_.end()) noted = undivided_.insert(noted, {key, weights.group_size, {}});
    noted->rows.push_back({ref.name, fmt::to_string(ref.in_features)});
  }

  /// Notes the collected mistakes. A mistake that many layers have alike is one.
  void refuse_noted() {
    for (const auto& [key, group_size, rows] : undivided_) {
      for (const auto& row : in_ranges(rows))
        refuse(key + ".group_size",
               fmt::format("{} has {} inputs, which group_size {} does not divide", row[0], row[1],
                           group_size));
    }
    for (const std::string& name : in_ranges(not_causal_))
      refuse("attention_scheme",
             fmt::format("{} is not causal: its products stay in float; ignore it", name));
  }

  /// Linears whose inputs the group_size of one key does not divide: names and inputs.
  struct Undivided {
    std::string key;
    std::int64_t group_size;
    std::vector<std::vector<std::string>> rows;
  };

  const Structure& structure_;
  const QuantizeOptions& options_;
  const Sites sites_;
  std::set<modules::Modality> modalities_;
  std::vector<Target> targets_, ignorable_;
  // Overrides by site; only those that can hold.
  std::map<std::string, const QuantArgs*> overrides_;
  std::set<std::string> used_overrides_;
  std::vector<Undivided> undivided_;
  std::vector<std::string> not_causal_;
  std::vector<RecipeMistake> mistakes_;
  Plan plan_;
};

}  // namespace

Plan make_plan(const Structure& structure, const QuantizeOptions& options) {
  return Planner(structure, options).make();
}

}  // namespace dualpath::quant
