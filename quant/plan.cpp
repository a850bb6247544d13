#include "quant/plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "data/base/checksum.h"
#include "data/base/names_in_ranges.h"
#include "modules/tensor_view.h"
#include "quant/packed_codes.h"
#include "quant/recipe_mistakes.h"
#include "quant/target.h"

namespace dualpath::quant {
namespace {

using modules::AttentionUse;
using modules::ConvRef;
using modules::ConvUse;
using modules::LinearRef;
using modules::LinearUse;
using modules::Structure;

/// What may be targeted: a module's name and its class, as torch.nn calls it.
struct Target {
  std::string name, kind;
};

std::string conv_class(std::size_t dimensions) { return fmt::format("Conv{}d", dimensions); }

/// A convolution of kernel 1 is a linear over channels.
Target target_of(const LinearRef& ref) {
  const bool is_linear = std::all_of(ref.kernel.begin(), ref.kernel.end(),
                                     [](std::int64_t size) { return size == 1; });
  return {ref.name, is_linear ? "Linear" : conv_class(ref.kernel.size())};
}

/// Depthwise convolutions have little to win and much to lose, so that no class names them.
Target target_of(const ConvRef& ref) {
  return {ref.name, ref.groups == 1 ? conv_class(ref.kernel.size()) : ""};
}

bool targets(const std::string& pattern, const Target& target) {
  return pattern == target.kind || matches(pattern, target.name);
}

class Planner {
 public:
  Planner(const Structure& structure, const QuantizeOptions& options)
      : structure_(structure), options_(options) {
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
    for (const LinearUse& use : structure_.linears) add(use);
    for (const ConvUse& use : structure_.convs) add(use);
    for (const AttentionUse& use : structure_.attentions) add(use);
    refuse_noted();
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
    std::vector<std::string> names;  // and classes
    for (const Target& one : all) names.insert(names.end(), {one.name, one.kind});
    std::erase(names, "");
    for (std::size_t i = 0; i < patterns.size(); ++i) {
      const auto hits = [&](const Target& target) { return targets(patterns[i], target); };
      if (std::ranges::none_of(all, hits))
        refuse(fmt::format("{}[{}]", key, i), unmatched(patterns[i], "linear", names));
    }
  }

  /// key: below the recipe's `quantize`.
  void refuse(const std::string& key, const std::string& message) {
    mistakes_.push_back({"quantize." + key, message});
  }

  static std::string key_of(const ConfigGroup& group) { return "config_groups." + group.name; }

  /// The first group that targets it; null where it is ignored or targeted by none.
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

  /// Neighbours that are quantized alike are one tensor group.
  void add(const LinearUse& use) {
    for (auto first = use.refs.begin(); first != use.refs.end();) {
      const ConfigGroup* scheme = group_of(*first);
      const auto last = std::find_if(first, use.refs.end(),
                                     [&](const LinearRef& ref) { return group_of(ref) != scheme; });
      if (scheme) {
        add_quantized({use.stage, {first, last}}, *scheme);
      } else {
        for (auto ref = first; ref != last; ++ref) plan_.ignored.push_back(ref->name);
      }
      first = last;
    }
  }

  void add_quantized(const LinearUse& use, const ConfigGroup& scheme) {
    const std::string group = use.refs.front().input_site();
    std::vector<modules::Site> sites;
    for (const LinearRef& ref : use.refs) {
      note_undivided(ref, scheme);
      sites.push_back(ref.input_site());
      plan_.linears.push_back(
          {ref, use.stage, group, scheme.weights, scheme.input_activations, scheme.name});
    }
    if (scheme.input_activations)
      plan_.groups.push_back({group, std::move(sites), *scheme.input_activations,
                              stream_of(use.stage), separate(use, *scheme.input_activations)});
  }

  void add(const ConvUse& use) {
    const ConfigGroup* scheme = group_of(use.ref);
    if (!scheme) return plan_.ignored.push_back(use.ref.name);
    const std::optional<QuantArgs>& inputs = scheme->input_activations;
    const bool is_served = scheme->weights == kWeightInt8 && inputs && !inputs->dynamic;
    if (!is_served) {
      return refuse(key_of(*scheme),
                    fmt::format("expected 8-bit weights per channel and static inputs, since {} is "
                                "a convolution",
                                use.ref.name));
    }
    const std::string group = use.ref.input_site();
    plan_.convs.push_back({use.ref, use.stage, group, scheme->weights, *inputs, scheme->name});
    plan_.groups.push_back({group, {group}, *inputs, stream_of(use.stage)});
  }

  void add(const AttentionUse& use) {
    const bool products = options_.attention_scheme && !matches_any(options_.ignore, use.ref.name);
    if (options_.attention_scheme && !products) plan_.ignored.push_back(use.ref.name);
    if (!use.ref.causal) {  // sees all keys, by a mask or bias of its own, and has no cache
      if (products) not_causal_.push_back(use.ref.name);
      return;
    }
    if (!products && !options_.kv_cache_scheme) return;
    const QuantArgs& args = products ? *options_.attention_scheme : *options_.kv_cache_scheme;
    const PlannedAttention& planned =
        plan_.attentions.emplace_back(PlannedAttention{use.ref, use.stage, args, products});
    for (const std::string& operand : planned.operands()) {
      for (const std::string& head : planned.head_groups(operand))
        plan_.groups.push_back({head, {head}, args, stream_of(use.stage)});
    }
  }

  /// The head is given rows, but not what they stand for.
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

  void note_undivided(const LinearRef& ref, const ConfigGroup& scheme) {
    const QuantArgs& weights = scheme.weights;
    if (weights.strategy != Strategy::kGroup || ref.in_features % weights.group_size == 0) return;
    undivided_[&scheme].push_back({ref.name, fmt::to_string(ref.in_features)});
  }

  /// What many layers have alike is one mistake.
  void refuse_noted() {
    for (const auto& [scheme, rows] : undivided_) {
      for (const auto& row : in_ranges(rows))
        refuse(key_of(*scheme) + ".weights.group_size",
               fmt::format("{} has {} inputs, which group_size {} does not divide", row[0], row[1],
                           scheme->weights.group_size));
    }
    for (const std::string& name : in_ranges(not_causal_))
      refuse("attention_scheme",
             fmt::format("{} is not causal: its products stay in float; ignore it", name));
  }

  const Structure& structure_;
  const QuantizeOptions& options_;
  std::set<modules::Modality> modalities_;
  std::vector<Target> targets_, ignorable_;
  std::map<const ConfigGroup*, std::vector<std::vector<std::string>>> undivided_;
  std::vector<std::string> not_causal_;
  std::vector<RecipeMistake> mistakes_;
  Plan plan_;
};

std::string spelled(const QuantArgs& args) {
  const std::string size = args.group_size > 0 ? fmt::format(" {}", args.group_size) : "";
  return fmt::format("{} {}{} {} {} {}", args.num_bits, name_of(args.strategy), size,
                     args.symmetric, args.dynamic, name_of(args.observer));
}

PlannedBytes bytes_of(const std::string& name, const std::vector<std::int64_t>& shape,
                      at::ScalarType dtype) {
  const std::int64_t numel =
      std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
  const data::DType stored = modules::dtype_of(dtype);
  return {name, shape, std::string(data::name_of(stored)),
          numel * static_cast<std::int64_t>(data::size_of(stored))};
}

/// What an export holds of a quantized weight, under the names by which it is found again, and of
/// its input.
void append_quantized(const Plan& plan, const PlannedLinear& linear,
                      const modules::WeightStore& weights, std::vector<PlannedBytes>& planned) {
  const LinearRef& ref = linear.ref;
  const QuantArgs& args = linear.weights;
  const std::int64_t outputs = ref.out_features, inputs = ref.in_features,
                     groups = args.strategy == Strategy::kGroup ? inputs / args.group_size : 1;
  const auto add = [&](const char* name, const std::vector<std::int64_t>& shape,
                       at::ScalarType dtype) {
    planned.push_back(bytes_of(weights.canonical(ref.name + name), shape, dtype));
    planned.back().scheme = linear.scheme;
  };
  if (linear.is_packed()) {
    add(".weight_packed", {outputs, words_of(inputs, args.num_bits)}, at::kInt);
  } else {
    add(".weight", ref.weight_shape(), at::kChar);
  }
  add(".weight_scale", {outputs, groups}, at::kFloat);
  if (linear.is_packed()) add(".weight_shape", {2}, at::kLong);
  if (!args.symmetric)
    add(".weight_zero_point", {words_of(outputs, args.num_bits), groups}, at::kInt);
  if (!plan.has_input_scale(linear)) return;
  planned.push_back(bytes_of(ref.name + ".input_scale", {1}, at::kFloat));
  planned.back().scheme = linear.scheme;
}

void append_scales(const PlannedAttention& attention, std::vector<PlannedBytes>& planned) {
  for (const std::string& operand : attention.operands()) {
    const auto heads = static_cast<std::int64_t>(attention.head_groups(operand).size());
    planned.push_back(bytes_of(attention.scale_name(operand), {heads, 1, 1}, at::kFloat));
  }
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

std::vector<std::string> PlannedAttention::head_groups(const std::string& operand) const {
  const std::int64_t heads = operand == "query" ? ref.num_heads : ref.num_key_value_heads;
  std::vector<std::string> groups;
  for (std::int64_t head = 0; head < heads; ++head)
    groups.push_back(fmt::format("{}.{}", modules::site(ref.name, operand.c_str()), head));
  return groups;
}

std::vector<std::string> PlannedAttention::operands() const {
  if (products) return {"query", "key", "value"};
  return {"key", "value"};
}

std::string PlannedAttention::scale_name(const std::string& operand) const {
  return fmt::format("{}.{}_scale", ref.name, operand.front());
}

const PlannedLinear* Plan::linear(const std::string& name) const {
  const auto found = std::find_if(linears.begin(), linears.end(),
                                  [&](const PlannedLinear& l) { return l.ref.name == name; });
  return found == linears.end() ? nullptr : &*found;
}

std::map<std::string, const PlannedLinear*> Plan::by_weight(
    const modules::WeightStore& weights) const {
  std::map<std::string, const PlannedLinear*> planned;
  for (const PlannedLinear& linear : linears)
    planned[weights.canonical(linear.ref.weight_name())] = &linear;
  return planned;
}

bool Plan::has_input_scale(const PlannedLinear& linear) const {
  const bool has_several = std::any_of(groups.begin(), groups.end(), [&](const TensorGroup& group) {
    return group.name == linear.group && !group.separate.empty();
  });
  return linear.is_static() && !has_several;
}

bool Plan::has_static_groups() const {
  return std::any_of(groups.begin(), groups.end(),
                     [](const TensorGroup& group) { return !group.args.dynamic; });
}

std::string Plan::fingerprint() const {
  std::string text;
  for (const PlannedLinear& l : linears) {
    text += fmt::format("{} {}x{} {} [{}] [{}]\n", l.ref.name, l.ref.out_features,
                        l.ref.in_features, l.group, spelled(l.weights),
                        l.input_activations ? spelled(*l.input_activations) : "float");
  }
  for (const PlannedConv& c : convs) {
    text += fmt::format("{} {}x{}/{} [{}] [{}] [{}]\n", c.ref.name, c.ref.out_channels,
                        c.ref.in_channels, c.ref.groups, fmt::join(c.ref.kernel, "x"),
                        spelled(c.weights), spelled(c.input_activations));
  }
  for (const PlannedAttention& a : attentions) {
    text +=
        fmt::format("{} {}/{}x{} {} [{}]\n", a.ref.name, a.ref.num_heads, a.ref.num_key_value_heads,
                    a.ref.head_dim, fmt::join(a.operands(), " "), spelled(a.args));
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

Plan make_plan(const Structure& structure, const QuantizeOptions& options) {
  return Planner(structure, options).make();
}

at::ScalarType exported_dtype(const modules::WeightInfo& info, at::ScalarType compute) {
  return info.decoded && info.shape.size() > 1 ? compute : info.dtype;
}

std::vector<PlannedBytes> planned_bytes(const Plan& plan, const modules::WeightStore& weights,
                                        at::ScalarType compute) {
  const std::map<std::string, const PlannedLinear*> quantized = plan.by_weight(weights);
  std::vector<PlannedBytes> planned;
  for (const std::string& name : weights.names()) {
    const auto linear = quantized.find(name);
    if (linear != quantized.end()) {
      append_quantized(plan, *linear->second, weights, planned);
    } else {
      const modules::WeightInfo info = weights.info(name);
      planned.push_back(bytes_of(name, info.shape, exported_dtype(info, compute)));
    }
  }
  for (const PlannedAttention& attention : plan.attentions) append_scales(attention, planned);
  return planned;
}

std::int64_t cache_bytes_per_token(const Plan& plan, const Structure& structure,
                                   at::ScalarType compute) {
  std::set<std::string> quantized;
  for (const PlannedAttention& attention : plan.attentions) quantized.insert(attention.ref.name);
  std::int64_t bytes = 0;
  for (const auto& [stage, ref] : structure.attentions) {
    if (!ref.causal) continue;
    const auto each = static_cast<std::int64_t>(
        c10::elementSize(quantized.contains(ref.name) ? at::kChar : compute));
    bytes += 2 * ref.num_key_value_heads * ref.head_dim * each;
  }
  return bytes;
}

std::int64_t total_bytes(const std::vector<PlannedBytes>& weights) {
  return std::accumulate(
      weights.begin(), weights.end(), std::int64_t{0},
      [](std::int64_t sum, const PlannedBytes& weight) { return sum + weight.bytes; });
}

}  // namespace dualpath::quant
