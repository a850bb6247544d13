#include "quant/execute/quantized_executor.h"

#include <torch/utils.h>

#include <algorithm>

#include "quant/calibrate/calibration.h"
#include "quant/plan/planner.h"
#include "tests/quant/hand_made.h"
#include "tests/support/catch.h"
#include "tests/support/model.h"

using namespace dualpath;
using namespace dualpath::quant;
using namespace dualpath::testing;
using torch::Tensor;

namespace {

/// The scales that a directory from another tool carries beside its codes.
ActivationScales stored_scales(const Plan& plan, const modules::WeightStore& weights) {
  modules::NamedTensors scales;
  for (const PlannedLinear& linear : plan.linears) {
    if (linear.is_static()) scales[linear.group] = weights.get(linear.ref.name + ".input_scale");
  }
  return ActivationScales(scales);
}

/// The largest difference of a token's hidden state, relative to its size.
double largest_relative_difference(const Tensor& hidden, const Tensor& expected) {
  return ((hidden - expected).norm(2, {-1}) / expected.norm(2, {-1})).max().item<double>();
}

/// Compares logits and gradients by integer kernels with simulated ones.
void check_computes(const modules::Model& model, const Plan& plan, const ActivationScales& scales,
                    const Tensor& ids, at::ScalarType dtype) {
  const auto run = [&](Compute compute, InputGradients input_gradients) {
    QuantizedExecutor executor(model.weights, dtype, plan, scales, compute, input_gradients);
    modules::State state = modules::make_state(ids);
    modules::run(model.network.stages.front(), executor, state);
    const Tensor hidden = state.hidden.detach().requires_grad_();
    state.hidden = hidden;
    for (std::size_t i = 1; i < model.network.stages.size(); ++i)
      modules::run(model.network.stages[i], executor, state);
    const Tensor logits = model.network.head.logits(executor, state.hidden);
    logits.to(at::kFloat).square().sum().backward();
    return std::pair(logits.detach(), hidden.grad());
  };
  const auto both = [&](InputGradients input_gradients) {
    const auto integer = run(Compute::kInteger, input_gradients),
               simulated = run(Compute::kSimulate, input_gradients);
    CHECK(integer.first.equal(simulated.first));
    CHECK(integer.second.equal(simulated.second));
    return integer.second.to(at::kFloat);
  };
  const Tensor exact = both(InputGradients::kFloat), rounded = both(InputGradients::kInt8);
  const bool rounds = std::ranges::any_of(plan.linears, &PlannedLinear::takes_integer_gradients);
  const double error = ((rounded - exact).norm() / exact.norm()).item<double>();
  CHECK(error < 0.05);
  CHECK((error > 0.0) == rounds);
}

/// scaled: a directory that has scales for the model's inputs.
void check_computes(const modules::Model& model, const modules::Model& scaled,
                    const QuantizeOptions& options, const std::string& variant,
                    at::ScalarType dtype) {
  const Tensor ids = expected_tensors("int8_export/" + variant + ".safetensors")["ids"];
  const Plan plan = make_plan(model.structure, options);
  check_computes(model, plan, stored_scales(plan, *scaled.weights), ids, dtype);
}

}  // namespace

TEST_CASE("codes and scales made by others give the logits of their integer arithmetic",
          "[quant][simulate]") {
  const torch::NoGradGuard no_grad;
  const std::string variant = GENERATE("tied", "outliers", "untied_sharded");
  const modules::Model model = modules::open_model(kReference / "int8_export" / variant);
  modules::NamedTensors expected = expected_tensors("int8_export/" + variant + ".safetensors");
  const Plan plan = make_plan(model.structure, QuantizeOptions{});
  const ActivationScales scales = stored_scales(plan, *model.weights);
  QuantizedExecutor executor(model.weights, at::kFloat, plan, scales);
  const Tensor logits = logits_of(model.network, executor, expected["ids"]);
  const double kl = mean_kl(expected["logits"], logits);
  // A norm or an attention that adds in another order moves a few inputs over a tie to the next
  // code. All else is the same integers.
  WARN(variant << ": KL to the reference's integer logits " << kl << ", largest difference "
               << largest_difference(logits, expected["logits"]));
  CHECK(kl < 1e-5);
}

TEST_CASE("the first layer's integers are those of others, all but a few near ties",
          "[quant][simulate]") {
  const torch::NoGradGuard no_grad;
  const modules::Model model = modules::open_model(kReference / "int8_export/tied");
  modules::NamedTensors expected = expected_tensors("int8_export/tied.safetensors");
  const Plan plan = make_plan(model.structure, QuantizeOptions{});
  const ActivationScales scales = stored_scales(plan, *model.weights);
  QuantizedExecutor executor(model.weights, at::kFloat, plan, scales);
  modules::State state = modules::make_state(expected["ids"]);
  modules::run(model.network.stages[0], executor, state);
  modules::run(model.network.stages[1], executor, state);
  CHECK(largest_relative_difference(state.hidden, expected["hidden"].select(1, 1)) < 1e-2);
}

TEST_CASE("float weights and an export's codes of them give the same bits", "[quant][simulate]") {
  const torch::NoGradGuard no_grad;
  const std::string variant = GENERATE("tied", "untied_sharded");
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16);
  const modules::Model source = tiny_llama(variant);
  const modules::Model exported = modules::open_model(kReference / "int8_export" / variant);
  const Tensor ids = expected_tensors("int8_export/" + variant + ".safetensors")["ids"];
  const Plan plan = make_plan(source.structure, QuantizeOptions{});
  const ActivationScales scales = stored_scales(plan, *exported.weights);
  QuantizedExecutor from_floats(source.weights, dtype, plan, scales);
  QuantizedExecutor from_codes(exported.weights, dtype, plan, scales);
  CHECK(logits_of(source.network, from_floats, ids)
            .equal(logits_of(exported.network, from_codes, ids)));
}

TEST_CASE("integer kernels and simulation give the same logits and gradients, to the bit",
          "[quant][simulate]") {
  const std::string variant = GENERATE("tied", "outliers", "untied_sharded");
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16);
  const QuantizeOptions options = GENERATE(QuantizeOptions{}, token_inputs(), mlp_by_token());
  const modules::Model model = modules::open_model(kReference / "int8_export" / variant);
  check_computes(model, model, options, variant, dtype);
}

TEST_CASE("integer kernels and simulation agree to the bit for weights of few bits",
          "[quant][simulate]") {
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16);
  const QuantizeOptions options =
      GENERATE(mixed_schemes(), all_by(weights_of(4, Strategy::kChannel, 0, true), kInputInt8),
               all_by(weights_of(4, Strategy::kGroup, 32, false), kTokenInt8),
               all_by(weights_of(6, Strategy::kChannel, 0, false), kTokenInt8),
               all_by(weights_of(3, Strategy::kGroup, 32, true), kInputInt8));
  check_computes(tiny_llama("tied"), modules::open_model(kReference / "int8_export/tied"), options,
                 "tied", dtype);
}

TEST_CASE("integer kernels and simulation agree to the bit where one input meets several schemes",
          "[quant][simulate]") {
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16);
  const modules::Model model = tiny_llama("tied");
  const Tensor ids = expected_tensors("tiny_llama/tied.safetensors")["ids"];
  const Plan plan = make_plan(model.structure, torn_schemes());
  const ActivationScales scales =
      calibrate(model.network, model.weights, dtype, plan, ids.split(1), [] {}).scales();
  check_computes(model, plan, scales, ids, dtype);
}

TEST_CASE("linears of one input have the results that each has alone", "[quant][simulate]") {
  const torch::NoGradGuard no_grad;
  const modules::Model model = tiny_llama("tied");
  const Tensor ids = expected_tensors("tiny_llama/tied.safetensors")["ids"];
  const Plan plan = make_plan(model.structure, torn_schemes());
  const ActivationScales scales =
      calibrate(model.network, model.weights, at::kFloat, plan, ids.split(1), [] {}).scales();
  QuantizedExecutor executor(model.weights, at::kFloat, plan, scales);
  torch::manual_seed(8);
  for (const modules::LinearUse& use : model.structure.linears) {
    const Tensor x = torch::randn({1, 5, use.refs.front().in_features});
    const std::vector<Tensor> together =
        static_cast<modules::Executor&>(executor).linear(use.refs, x);
    REQUIRE(together.size() == use.refs.size());
    for (std::size_t i = 0; i < together.size(); ++i) {
      CHECK(together[i].size(2) == use.refs[i].out_features);
      const Tensor near = torch::linear(x, model.weights->get(use.refs[i].weight_name()));
      CHECK(largest_relative_difference(together[i], near) < 0.3);
    }
  }
}

TEST_CASE("a tensor group that is met with other linears than before is named",
          "[quant][simulate]") {
  const torch::NoGradGuard no_grad;
  const modules::LinearRef q{"q", 2, 2}, k{"k", 2, 2};
  Plan plan;
  for (const modules::LinearRef& ref : {q, k})
    plan.linears.push_back({.ref = ref,
                            .stage = "stage",
                            .group = "q.input",
                            .weights = kWeightInt8,
                            .input_activations = kTokenInt8});
  const ActivationScales scales;
  const auto weights = std::make_shared<MemoryStore>(
      modules::NamedTensors{{"q.weight", torch::eye(2)}, {"k.weight", torch::eye(2)}});
  QuantizedExecutor executor(weights, at::kFloat, plan, scales);
  const Tensor x = torch::tensor({{0.3f, 1.7f}});
  CHECK(executor.linear(modules::LinearRefs{q, k}, x).size() == 2);
  for (const modules::LinearRefs& others : {modules::LinearRefs{q}, modules::LinearRefs{k, q}})
    CHECK_THROWS_WITH(executor.linear(others, x),
                      Catch::StartsWith("q.input: its tensor group is met with other linears"));
}

TEST_CASE("a weight is prepared for a kernel of its device where integers are to be multiplied",
          "[quant][simulate]") {
  PlannedLinear linear{.ref = {"a", 64, 5},
                       .stage = "stage",
                       .group = "a.input",
                       .weights = kWeightInt8,
                       .input_activations = kInputInt8};
  CHECK(kind_of(linear, Compute::kInteger, at::kCPU) == fastest_kind(at::kCPU, /*group_size=*/0));
  CHECK(kind_of(linear, Compute::kInteger, at::kCUDA) == WeightKind::kPaddedCodes);
  CHECK(kind_of(linear, Compute::kSimulate, at::kCPU) == WeightKind::kCodes);
  linear.weights = weights_of(4, Strategy::kGroup, 32, true);
  CHECK(kind_of(linear, Compute::kInteger, at::kCPU) == fastest_kind(at::kCPU, 32));
  CHECK(kind_of(linear, Compute::kInteger, at::kCUDA) == WeightKind::kCodes);
  linear.input_activations.reset();
  CHECK(kind_of(linear, Compute::kInteger, at::kCPU) == WeightKind::kCodes);
}

TEST_CASE("a cache of codes gives the logits of the whole prompt", "[quant][simulate]") {
  const torch::NoGradGuard no_grad;
  const bool products = GENERATE(false, true);
  const modules::Model model = tiny_llama("tied");
  const Tensor ids = expected_tensors("tiny_llama/tied.safetensors")["ids"].narrow(0, 0, 1);
  QuantizeOptions options;
  (products ? options.attention_scheme : options.kv_cache_scheme) = kHeadInt8;
  options.config_groups.front().targets = {"model.layers.2.mlp.down_proj"};
  const Plan plan = make_plan(model.structure, options);
  const ActivationScales scales =
      calibrate(model.network, model.weights, at::kFloat, plan, ids.split(1), [] {}).scales();
  QuantizedExecutor executor(model.weights, at::kFloat, plan, scales);
  const Tensor whole = logits_of(model.network, executor, ids);
  modules::KvCache cache;
  std::vector<Tensor> pieces;
  for (const Tensor& piece : ids.split(5, 1)) {
    modules::State state = modules::make_state(piece, &cache);
    modules::run(model.network, executor, state);
    pieces.push_back(model.network.head.logits(executor, state.hidden));
  }
  CHECK(cache.length() == ids.size(1));
  CHECK(mean_kl(whole, torch::cat(pieces, 1)) < 1e-5);
}

TEST_CASE("integer kernels and simulation agree to the bit for every family", "[quant][simulate]") {
  const std::string family = GENERATE("glm4", "qwen2", "qwen3");
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16);
  INFO(family);
  const modules::Model model = tiny_family(family);
  const Tensor ids = expected_tensors("tiny_families/" + family + ".safetensors")["ids"];
  const Plan plan = make_plan(model.structure, QuantizeOptions{});
  const ActivationScales scales =
      calibrate(model.network, model.weights, dtype, plan, ids.split(1), [] {}).scales();
  check_computes(model, plan, scales, ids, dtype);
}

TEST_CASE("a linear that is not planned is computed in float", "[quant][simulate]") {
  QuantizeOptions options;
  options.ignore = {"head", "model.layers.0.proj"};
  const modules::Network network = hand_made_network();
  const Plan plan = make_plan(modules::structure_of(network), options);
  const ActivationScales scales({{"model.layers.1.proj.input", torch::tensor({1.0f})}});
  QuantizedExecutor executor(hand_made_weights(), at::kFloat, plan, scales);
  const modules::LinearRef first{"model.layers.0.proj", 2, 2}, second{"model.layers.1.proj", 2, 2};
  const Tensor x = torch::tensor({{0.3f, 1.7f}});
  CHECK(executor.linear(modules::LinearRefs{first}, x).front().equal(x));
  const Tensor y = executor.linear(modules::LinearRefs{second}, x).front();
  CHECK(at::allclose(y, torch::tensor({{0.0f, 4.0f}})));  // round(0.3) * 2, round(1.7) * 2
}

TEST_CASE("a window alone and in a padded batch has the same integers", "[quant][simulate]") {
  const torch::NoGradGuard no_grad;
  const modules::Network network = hand_made_network();
  QuantizeOptions options = GENERATE(QuantizeOptions{}, token_inputs());
  options.ignore = {"head"};
  const Plan plan = make_plan(modules::structure_of(network), options);
  const ActivationScales scales({{"model.layers.0.proj.input", torch::tensor({0.03f})},
                                 {"model.layers.1.proj.input", torch::tensor({0.05f})}});
  QuantizedExecutor executor(skewed_weights(), at::kFloat, plan, scales);
  modules::State alone = modules::make_state(torch::tensor({{2, 1}}, at::kLong));
  modules::run(network, executor, alone);
  modules::State batch =
      modules::make_state(torch::tensor({{2, 1, 0, 0}, {3, 2, 1, 0}}, at::kLong),
                          torch::tensor({{true, true, false, false}, {true, true, true, true}}));
  modules::run(network, executor, batch);
  CHECK(batch.hidden[0].narrow(0, 0, 2).equal(alone.hidden[0]));
}
