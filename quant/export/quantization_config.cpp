#include "quant/export/quantization_config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <type_traits>

#include "data/base/error.h"
#include "quant/visit_args.h"

namespace dualpath::quant {
namespace {

using data::JsonObject;
using nlohmann::json;

/// Writes each field that says something. A dynamic scheme carries no scales, so whoever runs it
/// finds them by a formula of its own. Ours is absmax / 127, as in vLLM's kernels.
/// compressed-tensors itself (0.20) divides by 127.5 and lets the largest positive value saturate.
class ArgsWriter : public ArgsVisitor {
 public:
  json result = json::object();

  template <class T, std::size_t N>
  void number(std::string_view key, T& field, const Supported<T, N>&) {
    put(key, field);
  }
  template <class T, std::size_t N>
  void choice(std::string_view key, T& field, const Named<T> (&)[N]) {
    put(key, field);
  }
  void boolean(std::string_view key, bool& field) { put(key, field); }
  void fixed(std::string_view key, std::string_view value) { result[std::string(key)] = value; }
  template <class T>
  void implied(std::string_view key, T& field, std::vector<std::string_view>, std::string_view) {
    put(key, field);
  }

 private:
  template <class T>
  void put(std::string_view key, const T& field) {
    if constexpr (std::is_enum_v<T>) {
      result[std::string(key)] = name_of(field);
    } else {
      result[std::string(key)] = field;
    }
  }
};

json to_json(QuantArgs args, ArgsRole role) {
  ArgsWriter writer;
  visit(role, writer, args);
  return writer.result;
}

json to_json(const std::optional<QuantArgs>& args, ArgsRole role) {
  return args ? to_json(*args, role) : json();
}

/// A JSON value as a recipe's word: "false", "{}", "minmax".
std::string json_word(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

/// Fills the fields; a scheme that does not run is an Error.
class ArgsReader : public ArgsVisitor {
 public:
  explicit ArgsReader(const JsonObject& object) : object_(object) {}

  template <class T, std::size_t N>
  void number(std::string_view key, T& field, const Supported<T, N>& supported) {
    field = static_cast<T>(object_.integer(key, {.low = supported.low, .high = supported.high}));
  }
  template <class T, std::size_t N>
  void choice(std::string_view key, T& field, const Named<T> (&table)[N]) {
    if constexpr (std::is_enum_v<T>) {
      field = one_of(key, object_.string(key), table);
    } else {
      boolean(key, field);
      field = one_of(key, fmt::to_string(field), table);
    }
  }
  void boolean(std::string_view key, bool& field) { field = object_.boolean_or(key, field); }
  void fixed(std::string_view key, std::string_view value) { stated(key, {value}, value); }
  template <class T>
  void implied(std::string_view key, T&, std::vector<std::string_view> words,
               std::string_view expected) {
    stated(key, std::move(words), expected);
  }
  void stated(std::string_view key, std::vector<std::string_view> words,
              std::string_view expected) {
    if (!object_.contains(key)) return;
    const std::string got = json_word(object_.raw().at(std::string(key)));
    if (std::ranges::find(words, got) == words.end()) refuse(key, expected, got);
  }
  void check(bool ok, const std::string& expected, const std::string& got) {
    if (!ok) throw Error("{}: expected {}, got {}", object_.where(), expected, got);
  }

 private:
  template <class T, std::size_t N>
  T one_of(std::string_view key, const std::string& got, const Named<T> (&table)[N]) const {
    std::vector<std::string_view> names;
    for (const auto& [name, value] : table) {
      if (name == got) return value;
      names.push_back(name);
    }
    refuse(key, fmt::format("{}", fmt::join(names, " or ")), got);
  }
  [[noreturn]] void refuse(std::string_view key, std::string_view expected,
                           const std::string& got) const {
    throw Error("{}.{}: expected {}, got {}", object_.where(), key, expected, got);
  }

  const JsonObject& object_;
};

QuantArgs read_args(const JsonObject& object, ArgsRole role) {
  ArgsReader reader(object);
  QuantArgs args;
  visit(role, reader, args);
  return args;
}

/// Linears and convolutions of one scheme, listed by name. If several targets match,
/// compressed-tensors takes the most special, not the first.
struct ModuleGroup {
  QuantArgs weights;
  std::optional<QuantArgs> inputs;
  std::vector<std::string> names;

  std::string_view format() const { return name_in(kStoredFormats, is_packed(weights, inputs)); }
};

template <class Planned>
void add_to(std::vector<ModuleGroup>& parts, const Planned& planned) {
  auto part = std::ranges::find_if(parts, [&](const ModuleGroup& other) {
    return other.weights == planned.weights && other.inputs == planned.input_activations;
  });
  if (part == parts.end())
    part = parts.insert(part, {planned.weights, planned.input_activations, {}});
  part->names.push_back(planned.ref.name);
}

/// Splits a config group's modules by scheme: one part, or several if overrides part it. Empty if
/// all that the group targets belongs to groups before it.
std::vector<ModuleGroup> modules_of(const Plan& plan, const ConfigGroup& group) {
  std::vector<ModuleGroup> parts;
  for (const PlannedLinear& linear : plan.linears) {
    if (linear.scheme == group.name) add_to(parts, linear);
  }
  for (const PlannedConv& conv : plan.convs) {
    if (conv.scheme == group.name) add_to(parts, conv);
  }
  return parts;
}

/// The modules of all config groups, by the group's place.
std::vector<std::vector<ModuleGroup>> modules_of(const QuantizeOptions& options, const Plan& plan) {
  std::vector<std::vector<ModuleGroup>> all;
  for (const ConfigGroup& group : options.config_groups) all.push_back(modules_of(plan, group));
  return all;
}

/// Adds the attentions as a group of inputs alone (query, key and value): so compressed-tensors
/// words their scheme.
void add_attention_group(const Plan& plan, bool with_format, json& groups) {
  std::vector<std::string> names;
  const QuantArgs* args = nullptr;
  for (const PlannedAttention& attention : plan.attentions) {
    if (!attention.products) continue;
    names.push_back(attention.ref.name);
    args = &attention.args;
  }
  if (!args) return;
  json entry{{"targets", names},
             {"weights", nullptr},
             {"input_activations", to_json(*args, ArgsRole::kOperands)},
             {"output_activations", nullptr}};
  if (with_format) entry["format"] = name_in(kStoredFormats, false);
  groups[fmt::format("group_{}", groups.size())] = std::move(entry);
}

}  // namespace

json quantization_config(const QuantizeOptions& options, const Plan& plan) {
  std::set<std::string_view> formats;
  const std::vector<std::vector<ModuleGroup>> by_group = modules_of(options, plan);
  for (const std::vector<ModuleGroup>& parts : by_group) {
    for (const ModuleGroup& part : parts) formats.insert(part.format());
  }
  const bool with_format = formats.contains(name_in(kStoredFormats, true));
  json groups = json::object();
  for (std::size_t i = 0; i < by_group.size(); ++i) {
    const bool is_all = by_group.size() == 1 && by_group[i].size() == 1;
    for (const ModuleGroup& part : by_group[i]) {
      json entry{{"targets", is_all ? options.config_groups[i].targets : part.names},
                 {"weights", to_json(part.weights, ArgsRole::kWeights)},
                 {"input_activations", to_json(part.inputs, ArgsRole::kInputs)},
                 {"output_activations", nullptr}};
      if (with_format) entry["format"] = part.format();
      groups[fmt::format("group_{}", groups.size())] = std::move(entry);
    }
  }
  add_attention_group(plan, with_format, groups);
  json config{{"quant_method", "compressed-tensors"},
              {"format", formats.size() == 1 ? *formats.begin() : "mixed-precision"},
              {"quantization_status", "compressed"},
              {"config_groups", groups},
              {"ignore", plan.ignored}};
  if (options.kv_cache_scheme)
    config["kv_cache_scheme"] = to_json(*options.kv_cache_scheme, ArgsRole::kOperands);
  return config;
}

QuantizeOptions read_quantization_config(const JsonObject& config) {
  QuantizeOptions options;
  options.config_groups.clear();
  const JsonObject groups = config.object("config_groups");
  for (const std::string& name : groups.keys()) {
    const JsonObject group = groups.object(name);
    const auto weights = group.object_if("weights");
    if (!weights) {
      options.attention_scheme = read_args(group.object("input_activations"), ArgsRole::kOperands);
      continue;
    }
    ConfigGroup& read = options.config_groups.emplace_back();
    read.name = name;
    read.targets = group.strings("targets");
    read.weights = read_args(*weights, ArgsRole::kWeights);
    read.input_activations.reset();
    if (const auto inputs = group.object_if("input_activations"))
      read.input_activations = read_args(*inputs, ArgsRole::kInputs);
  }
  options.ignore = config.strings("ignore");
  if (const auto scheme = config.object_if("kv_cache_scheme"))
    options.kv_cache_scheme = read_args(*scheme, ArgsRole::kOperands);
  return options;
}

}  // namespace dualpath::quant
