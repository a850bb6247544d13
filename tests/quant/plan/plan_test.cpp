#include "quant/plan/plan.h"

#include "data/base/error.h"
#include "quant/plan/planner.h"
#include "quant/stored/layout.h"
#include "tests/quant/hand_made.h"
#include "tests/support/catch.h"
#include "tests/support/error_message.h"
#include "tests/support/model.h"

using namespace dualpath;
using namespace dualpath::quant;
using namespace dualpath::testing;

namespace {

const modules::Model& tied() {
  static const modules::Model model = tiny_llama("tied");
  return model;
}

QuantizeOptions targeting(const std::vector<std::string>& targets) {
  QuantizeOptions options;
  options.config_groups.front().targets = targets;
  return options;
}

std::string mistake(const QuantizeOptions& options) {
  try {
    make_plan(tied().structure, options);
    return "";
  } catch (const UsageError& error) {
    return error.what();
  }
}

const std::string kAttention = "model.layers.1.self_attn.", kMlp = "model.layers.1.mlp.";

}  // namespace

TEST_CASE("by default every linear but the head is quantized, in four groups a layer",
          "[quant][plan]") {
  const Plan plan = make_plan(tied().structure, QuantizeOptions{});
  CHECK(plan.linears.size() == 3 * 7);
  CHECK(plan.groups.size() == 3 * 4);
  CHECK(plan.ignored == std::vector<std::string>{"lm_head"});
  CHECK(widths_of(plan.stages) ==
        std::vector<std::string>{"model.layers.0: 64", "model.layers.1: 64", "model.layers.2: 64"});
  const TensorGroup& qkv = plan.groups[4];
  CHECK(qkv.name == kAttention + "q_proj.input");
  CHECK(qkv.sites == std::vector<modules::SiteName>{kAttention + "q_proj.input",
                                                    kAttention + "k_proj.input",
                                                    kAttention + "v_proj.input"});
  const PlannedLinear* up = plan.linear(kMlp + "up_proj");
  REQUIRE(up);
  CHECK(up->group == kMlp + "gate_proj.input");
  CHECK(up->stage == "model.layers.1");
  CHECK(up->weights == kWeightInt8);
  CHECK(plan.linear("lm_head") == nullptr);
}

TEST_CASE("a fused gate_up is one linear of the plan and a tensor group of its own",
          "[quant][plan]") {
  const modules::Model glm4 = tiny_family("glm4");
  const Plan plan = make_plan(glm4.structure, QuantizeOptions{});
  CHECK(plan.linears.size() == 3 * 6);
  CHECK(plan.groups.size() == 3 * 4);
  const PlannedLinear* gate_up = plan.linear(kMlp + "gate_up_proj");
  REQUIRE(gate_up);
  CHECK(gate_up->group == kMlp + "gate_up_proj.input");
  CHECK(gate_up->ref.out_features == 2 * 136);
}

TEST_CASE("a plan takes what is targeted and leaves the rest in float", "[quant][plan]") {
  const Plan plan = make_plan(tied().structure,
                              targeting({"re:.*down_proj", kMlp + "gate_proj", kMlp + "up_proj"}));
  CHECK(plan.linears.size() == 3 + 2);
  CHECK(plan.linear(kMlp + "down_proj"));
  CHECK_FALSE(plan.linear(kAttention + "o_proj"));
  CHECK(plan.ignored.size() == 3 * 7 + 1 - 5);
}

TEST_CASE("ignore goes before targets, and the first group that targets a linear counts",
          "[quant][plan]") {
  QuantizeOptions options = targeting({"re:.*mlp.*"});
  options.config_groups.front().input_activations->observer = ObserverKind::kMovingAverage;
  options.config_groups.push_back({.name = "rest"});
  options.ignore.push_back("re:model[.]layers[.]0[.].*");
  const Plan plan = make_plan(tied().structure, options);
  CHECK(widths_of(plan.stages) ==
        std::vector<std::string>{"model.layers.1: 64", "model.layers.2: 64"});
  const auto observer = [&](const std::string& name) {
    return plan.linear(name)->input_activations->observer;
  };
  CHECK(observer(kMlp + "down_proj") == ObserverKind::kMovingAverage);
  CHECK(observer(kAttention + "o_proj") == ObserverKind::kMinMax);
}

TEST_CASE("every target and ignore that matches nothing is listed with the nearest name",
          "[quant][plan]") {
  QuantizeOptions options = targeting({"Linear", "model.layers.1.mlp.donw_proj", "re:.*mpl.*"});
  options.ignore = {"lm_haed"};
  const std::string message = mistake(options);
  CHECK(message ==
        "quantize.config_groups.group_0.targets[1]: \"model.layers.1.mlp.donw_proj\" matches no "
        "linear; nearest: model.layers.1.mlp.down_proj\n"
        "quantize.config_groups.group_0.targets[2]: \"re:.*mpl.*\" matches no linear; nearest to "
        "mpl: mlp\n"
        "quantize.ignore[0]: \"lm_haed\" matches no linear; nearest: lm_head");
}

TEST_CASE("consumers of one tensor that differ in scheme are tensor groups of their own",
          "[quant][plan]") {
  QuantizeOptions options;
  options.config_groups.push_back({.name = "values",
                                   .targets = {"re:.*v_proj"},
                                   .weights = weights_of(4, Strategy::kChannel, 0, true)});
  std::swap(options.config_groups[0], options.config_groups[1]);
  options.ignore.push_back("re:.*gate_proj");
  const Plan plan = make_plan(tied().structure, options);
  CHECK(plan.groups.size() == 3 * 5);
  CHECK(plan.linear(kAttention + "q_proj")->group == kAttention + "q_proj.input");
  CHECK(plan.linear(kAttention + "k_proj")->group == kAttention + "q_proj.input");
  CHECK(plan.linear(kAttention + "v_proj")->group == kAttention + "v_proj.input");
  CHECK(plan.linear(kMlp + "up_proj")->group == kMlp + "up_proj.input");
  CHECK_FALSE(plan.linear(kMlp + "gate_proj"));
}

TEST_CASE("operands of attention are a tensor group a head", "[quant][plan]") {
  QuantizeOptions options;
  options.kv_cache_scheme = kHeadInt8;
  const Plan cache = make_plan(tied().structure, options);
  const modules::AttentionRef ref = tied().structure.attentions[1].ref;
  REQUIRE(cache.attentions.size() == 3);
  CHECK_FALSE(cache.attentions[1].products);
  CHECK(cache.groups.size() == static_cast<std::size_t>(3 * (4 + 2 * ref.num_key_value_heads)));
  CHECK(cache.attentions[1].head_groups(modules::Operand::kKey).front() ==
        "model.layers.1.self_attn.key.0");

  // Two layers quantize all operands; the third quantizes what a cache holds.
  options.attention_scheme = kHeadInt8;
  options.ignore.push_back("model.layers.1.self_attn");
  const Plan plan = make_plan(tied().structure, options);
  CHECK(plan.attentions[0].products);
  CHECK_FALSE(plan.attentions[1].products);
  CHECK(plan.groups.size() == cache.groups.size() + static_cast<std::size_t>(2 * ref.num_heads));
  CHECK(plan.fingerprint() != cache.fingerprint());
  CHECK(plan.ignored == std::vector<std::string>{"lm_head", "model.layers.1.self_attn"});
  const std::int64_t values = 3 * 2 * ref.num_key_value_heads * ref.head_dim;
  CHECK(cache_bytes_per_token({}, tied().structure, at::kBFloat16) == 2 * values);
  CHECK(cache_bytes_per_token(plan, tied().structure, at::kBFloat16) == values);
}

TEST_CASE("attentions may be ignored, but are no linear to target", "[quant][plan]") {
  QuantizeOptions options;
  options.attention_scheme = kHeadInt8;
  options.ignore.push_back("re:.*self_attn");
  const Plan plan = make_plan(tied().structure, options);
  CHECK(plan.attentions.empty());
  // An export read again has no scheme, but still ignores these.
  options.attention_scheme.reset();
  options.ignore = plan.ignored;
  CHECK(make_plan(tied().structure, options).linears.size() == plan.linears.size());
  CHECK_THAT(mistake(targeting({"re:.*self_attn$"})), Catch::Contains("matches no linear"));
}

TEST_CASE("a stage of which only the attention is quantized counts", "[quant][plan]") {
  QuantizeOptions options = targeting({"re:model[.]layers[.]0[.].*"});
  options.attention_scheme = kHeadInt8;
  options.ignore.push_back("model.layers.1.self_attn");
  CHECK(widths_of(make_plan(tied().structure, options).stages) ==
        std::vector<std::string>{"model.layers.0: 64", "model.layers.2: 64"});
}

TEST_CASE("a plan is a table of sites that say what they are and how they are quantized",
          "[quant][plan]") {
  QuantizeOptions options;
  options.kv_cache_scheme = kHeadInt8;
  const Plan plan = make_plan(tied().structure, options);
  CHECK(plan.sites.size() == 3 * (2 * 7 + 2));
  const PlannedSite* input = plan.sites.find(kAttention + "k_proj.input");
  REQUIRE(input);
  CHECK(input->site.role == modules::Role::kInput);
  CHECK(input->site.stage == "model.layers.1");
  CHECK(input->site.stream == modules::Modality::kText);
  CHECK(input->site.shape == std::vector<std::int64_t>{64});
  CHECK(input->args == kInputInt8);
  CHECK(input->group == kAttention + "q_proj.input");
  for (const std::string& site : plan.groups.find(input->group)->sites)
    CHECK(plan.sites.find(site)->group == input->group);
  const PlannedSite* weight = plan.sites.find(kMlp + "down_proj.weight");
  REQUIRE(weight);
  CHECK(weight->site.role == modules::Role::kWeight);
  CHECK(weight->site.shape == std::vector<std::int64_t>{64, 160});
  CHECK(weight->args == kWeightInt8);
  const modules::AttentionRef ref = tied().structure.attentions[1].ref;
  const PlannedSite* keys = plan.sites.find(kAttention + "key");
  REQUIRE(keys);
  CHECK(keys->site.role == modules::Role::kKey);
  CHECK(keys->site.shape == std::vector<std::int64_t>{ref.num_key_value_heads, ref.head_dim});
  CHECK_FALSE(plan.sites.find(kAttention + "query"));
  CHECK_FALSE(plan.sites.find("lm_head.weight"));
  // The network has more sites than the plan.
  CHECK(sites_of(tied().structure).find("lm_head.weight"));
}

TEST_CASE("overrides are what config groups for single linears would be", "[quant][plan]") {
  QuantizeOptions overridden, grouped;
  overridden.overrides[kMlp + "down_proj.weight"] = weights_of(4, Strategy::kGroup, 32, true);
  overridden.overrides[kMlp + "down_proj.input"] = kTokenInt8;
  overridden.overrides[kAttention + "v_proj.weight"] = weights_of(5, Strategy::kChannel, 0, true);
  grouped.config_groups = {{.name = "down",
                            .targets = {kMlp + "down_proj"},
                            .weights = weights_of(4, Strategy::kGroup, 32, true),
                            .input_activations = kTokenInt8},
                           {.name = "values",
                            .targets = {kAttention + "v_proj"},
                            .weights = weights_of(5, Strategy::kChannel, 0, true)},
                           {.name = "rest"}};
  const Plan plan = make_plan(tied().structure, overridden);
  CHECK(plan.fingerprint() == make_plan(tied().structure, grouped).fingerprint());
  CHECK(plan.linear(kMlp + "down_proj")->scheme == "group_0");
  CHECK(plan.sites.find(kMlp + "down_proj.input")->args == kTokenInt8);
  // A scheme unlike its neighbours' makes a tensor group of its own.
  CHECK(plan.linear(kAttention + "v_proj")->group == kAttention + "v_proj.input");
}

TEST_CASE("an override may quantize the input of a linear whose group leaves it in float",
          "[quant][plan]") {
  QuantizeOptions options;
  options.config_groups.front().input_activations.reset();
  options.overrides[kMlp + "down_proj.input"] = kInputInt8;
  const Plan plan = make_plan(tied().structure, options);
  CHECK(plan.linear(kMlp + "down_proj")->is_static());
  CHECK(plan.groups.size() == 1);
}

TEST_CASE("an override that cannot hold is refused by its site", "[quant][plan]") {
  QuantizeOptions options;
  options.overrides = {{kMlp + "donw_proj.weight", kWeightInt8},
                       {kMlp + "down_proj.weight", weights_of(4, Strategy::kGroup, 48, true)},
                       {kMlp + "up_proj.weight", weights_of(4, Strategy::kGroup, 0, true)},
                       {kMlp + "up_proj.input", {.num_bits = 3}},
                       {kAttention + "key", kHeadInt8},
                       {"lm_head.weight", kWeightInt8}};
  CHECK(mistake(options) ==
        "quantize.overrides.model.layers.1.mlp.donw_proj.weight: is no site; nearest: "
        "model.layers.1.mlp.down_proj.weight\n"
        "quantize.overrides.model.layers.1.mlp.up_proj.input: num_bits: expected 4 to 8, got 3\n"
        "quantize.overrides.model.layers.1.mlp.up_proj.weight: group_size: expected at least 1, "
        "got 0\n"
        "quantize.overrides.model.layers.1.self_attn.key: expected a weight or an input; operands "
        "follow attention_scheme and kv_cache_scheme\n"
        "quantize.overrides.model.layers.1.mlp.down_proj.weight.group_size: "
        "model.layers.1.mlp.down_proj has 160 inputs, which group_size 48 does not divide\n"
        "quantize.overrides.lm_head.weight: stays in float: no config group targets it");
}

TEST_CASE("a head that is not ignored is quantized, a tied table with it, but is no stage",
          "[quant][plan]") {
  QuantizeOptions options;
  options.ignore.clear();
  const Plan plan = make_plan(tied().structure, options);
  CHECK(plan.linears.back().ref.name == "lm_head");
  CHECK(plan.stages.back().name == "model.layers.2");
  CHECK(plan.by_weight(*tied().weights).at("model.embed_tokens.weight") == &plan.linears.back());
  const std::vector<PlannedBytes> planned = planned_bytes(plan, *tied().weights, at::kFloat);
  const auto named = [&](const std::string& name) {
    return std::ranges::find(planned, name, &PlannedBytes::name) != planned.end();
  };
  CHECK(planned.front().name == "model.embed_tokens.weight");
  CHECK(planned.front().dtype == "I8");
  CHECK(named("model.embed_tokens.weight_scale"));
  CHECK(named("lm_head.input_scale"));
  CHECK_FALSE(named("lm_head.weight_scale"));
}

TEST_CASE("a broken pattern is named", "[quant][plan]") {
  CHECK(mistake(targeting({"re:(model"})) ==
        "regular expression '(model': missing closing parenthesis");
}

TEST_CASE("static and dynamic groups stand side by side", "[quant][plan]") {
  const Plan plan = make_plan(tied().structure, mlp_by_token());
  CHECK(plan.linear(kMlp + "up_proj")->input_activations == kTokenInt8);
  CHECK(plan.linear(kAttention + "q_proj")->input_activations == kInputInt8);
  CHECK(plan.groups.size() == 3 * 4);
  CHECK(plan.has_static_groups());
  CHECK_FALSE(make_plan(tied().structure, token_inputs()).has_static_groups());
}

TEST_CASE("linears of which only the weight is quantized have no tensor group", "[quant][plan]") {
  const Plan plan = make_plan(tied().structure, mixed_schemes());
  CHECK(widths_of(plan.stages) ==
        std::vector<std::string>{"model.layers.0: 64", "model.layers.2: 64"});
  CHECK(plan.groups.size() == 4);  // layer 0's: layer 1 and layer 2's inputs are in float
  const PlannedLinear* weight_only = plan.linear("model.layers.2.mlp.up_proj");
  REQUIRE(weight_only);
  CHECK_FALSE(weight_only->input_activations);
  CHECK_FALSE(weight_only->is_static());
  CHECK(weight_only->is_packed());
  CHECK(weight_only->scheme == "weight_only");
  CHECK_FALSE(plan.linear("model.layers.0.self_attn.q_proj")->is_packed());
  CHECK(plan.linear("model.layers.0.mlp.up_proj")->is_packed());
}

TEST_CASE("every linear whose inputs a group size does not divide is listed", "[quant][plan]") {
  QuantizeOptions options;
  options.config_groups.front().weights = weights_of(4, Strategy::kGroup, 64, true);
  const std::string message = mistake(options);
  CHECK(message ==
        "quantize.config_groups.group_0.weights.group_size: model.layers.{0-2}.mlp.down_proj has "
        "160 inputs, which group_size 64 does not divide");
}

TEST_CASE("planned bytes of packed weights are words, scales, zero points and a shape",
          "[quant][plan]") {
  const modules::LinearRef ref{"a", 64, 3};
  const auto planned = [&](const QuantArgs& weights, std::optional<QuantArgs> inputs) {
    Plan plan;
    plan.linears = {{ref, "stage", "a.input", weights, inputs}};
    const MemoryStore store({{"a.weight", torch::zeros({3, 64})}});
    std::vector<std::string> lines;
    for (const PlannedBytes& weight : planned_bytes(plan, store, at::kFloat))
      lines.push_back(weight.name + " " + weight.dtype + " " + std::to_string(weight.bytes));
    return lines;
  };
  // 64 codes of 4 bits are 8 words.
  CHECK(planned(weights_of(4, Strategy::kGroup, 32, false), std::nullopt) ==
        std::vector<std::string>{"a.weight_packed I32 96", "a.weight_scale F32 24",
                                 "a.weight_shape I64 16", "a.weight_zero_point I32 8"});
  // 64 codes of 3 bits are 6 words.
  CHECK(planned(weights_of(3, Strategy::kChannel, 0, true), kInputInt8) ==
        std::vector<std::string>{"a.weight_packed I32 72", "a.weight_scale F32 12",
                                 "a.weight_shape I64 16", "a.input_scale F32 4"});
}

TEST_CASE("another scheme, target or network has another fingerprint", "[quant][plan]") {
  const std::string usual = make_plan(tied().structure, QuantizeOptions{}).fingerprint();
  CHECK(make_plan(tied().structure, QuantizeOptions{}).fingerprint() == usual);
  CHECK(make_plan(tied().structure, targeting({"re:.*mlp.*"})).fingerprint() != usual);
  QuantizeOptions averaged;
  averaged.config_groups.front().input_activations->observer = ObserverKind::kMovingAverage;
  CHECK(make_plan(tied().structure, averaged).fingerprint() != usual);
  CHECK(make_plan(tied().structure, token_inputs()).fingerprint() != usual);
  QuantizeOptions four, by_group, weight_only;
  four.config_groups.front().weights.num_bits = 4;
  by_group.config_groups.front().weights = weights_of(8, Strategy::kGroup, 32, true);
  weight_only.config_groups.front().input_activations.reset();
  for (const QuantizeOptions& other : {four, by_group, weight_only})
    CHECK(make_plan(tied().structure, other).fingerprint() != usual);
  CHECK(make_plan(tiny_llama("untied_sharded").structure, QuantizeOptions{}).fingerprint() !=
        usual);
}

TEST_CASE("planned bytes are codes, a scale a row and one for the input, and the rest as it is",
          "[quant][plan]") {
  const modules::Network network = hand_made_network();
  QuantizeOptions options;
  options.ignore = {"head", "model.layers.1.proj"};
  const Plan plan = make_plan(modules::structure_of(network), options);
  const auto planned = planned_bytes(plan, *hand_made_weights(), at::kBFloat16);
  std::vector<std::string> lines;
  for (const PlannedBytes& weight : planned) {
    lines.push_back(weight.name + " " + weight.dtype + " " + std::to_string(weight.bytes));
  }
  CHECK(lines == std::vector<std::string>{"head.weight F32 32", "model.layers.0.proj.weight I8 4",
                                          "model.layers.0.proj.weight_scale F32 8",
                                          "model.layers.0.proj.input_scale F32 4",
                                          "model.layers.1.proj.weight F32 16",
                                          "table.weight F32 32"});
  CHECK(total_bytes(planned) == 96);
}

TEST_CASE("a dynamic input has no scale in an export", "[quant][plan]") {
  QuantizeOptions options = token_inputs();
  options.ignore = {"head", "model.layers.1.proj"};
  const Plan plan = make_plan(modules::structure_of(hand_made_network()), options);
  // Likewise, less 4 bytes.
  CHECK(total_bytes(planned_bytes(plan, *hand_made_weights(), at::kBFloat16)) == 92);
}

TEST_CASE(
    "what a file holds in blocks or is trained is exported in the compute dtype, its vectors "
    "in float32",
    "[quant][plan]") {
  CHECK(exported_dtype({at::kFloat, {4, 4}, /*decoded=*/true}, at::kBFloat16) == at::kBFloat16);
  CHECK(exported_dtype({at::kFloat, {4}, /*decoded=*/true}, at::kBFloat16) == at::kFloat);
  CHECK(exported_dtype({at::kHalf, {4, 4}, /*decoded=*/false}, at::kBFloat16) == at::kHalf);
  const auto weights = skewed_weights();
  weights->set("table.weight", torch::ones({4, 2}));
  CHECK(exported_dtype(weights->info("table.weight"), at::kBFloat16) == at::kBFloat16);
  CHECK(exported_dtype(weights->info("head.weight"), at::kBFloat16) == at::kFloat);
}
