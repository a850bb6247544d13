#include "quant/calibrate/smoothing.h"

#include <torch/utils.h>

#include "modules/execute/float_executor.h"
#include "quant/calibrate/calibration.h"
#include "quant/execute/quantized_executor.h"
#include "quant/plan/planner.h"
#include "quant/transform/smoothed_weights.h"
#include "quant/transform/transform.h"
#include "tests/quant/hand_made.h"
#include "tests/support/catch.h"
#include "tests/support/error_message.h"
#include "tests/support/temporary_directory.h"

using namespace dualpath;
using namespace dualpath::quant;
using namespace dualpath::testing;
using torch::Tensor;

namespace {

QuantizeOptions smoothing_by(const SmoothingOptions& smoothing) {
  QuantizeOptions options;
  options.smoothing = smoothing;
  return options;
}

/// A small model whose inputs have outliers.
struct Smoothed {
  explicit Smoothed(const QuantizeOptions& options, const std::string& which = "tiny_llama/tied")
      : model(modules::open_model(kReference / which)),
        plan(make_plan(model.structure, options)),
        ids(expected_tensors(which + ".safetensors")["ids"]),
        calibration(
            calibrate(model.network, model.weights, at::kFloat, plan, ids.split(1), [] {})) {}

  std::shared_ptr<const modules::WeightStore> weights() const {
    return transformed(model.weights, plan, calibration.transforms);
  }
  Tensor float_logits(const std::shared_ptr<const modules::WeightStore>& store) const {
    modules::FloatExecutor executor(store, at::kFloat);
    return logits_of(model.network, executor, ids);
  }
  double kl(const std::shared_ptr<const modules::WeightStore>& store,
            const modules::NamedTensors& scales) const {
    const ActivationScales activation_scales(scales);
    QuantizedExecutor executor(store, at::kFloat, plan, activation_scales);
    return mean_kl(float_logits(model.weights), logits_of(model.network, executor, ids));
  }

  modules::Model model;
  Plan plan;
  Tensor ids;
  Calibration calibration;
};

const std::string kLayer = "model.layers.0.";

}  // namespace

TEST_CASE("a factor balances a channel's input against the weights that it meets",
          "[quant][smoothing]") {
  const MemoryStore weights({{"a.weight", torch::tensor({{1.f, -4.f, 0.f}})},
                             {"b.weight", torch::tensor({{-2.f, 1.f, 0.f}})}});
  const modules::ChannelFold fold{
      .weight = "norm.weight", .bias = "", .channels = 3, .consumers = {{"a", 3, 1}, {"b", 3, 1}}};
  const Tensor range = torch::tensor({8.f, 16.f, 1.f});
  CHECK(smoothing_factors(fold, range, weights, 1.0).equal(range));
  const Tensor half = smoothing_factors(fold, range, weights, 0.5);
  CHECK(half[0].item<float>() == 2.0f);  // sqrt(8) / sqrt(2)
  CHECK(half[1].item<float>() == 2.0f);  // sqrt(16) / sqrt(4)
  CHECK(std::isfinite(half[2].item<float>()));
}

TEST_CASE("heads that share a value head share its factors", "[quant][smoothing]") {
  // One value head of two channels, read by two query heads: inputs 0 and 2 are channel 0.
  const modules::ChannelFold fold{.weight = "v.weight",
                                  .bias = "",
                                  .channels = 2,
                                  .consumers = {{"o", 4, 1}},
                                  .block = 2,
                                  .repeats = 2};
  const MemoryStore weights({{"o.weight", torch::ones({1, 4})}});
  const Tensor factors = smoothing_factors(fold, torch::tensor({1.f, 2.f, 4.f, 1.f}), weights, 1.0);
  CHECK(factors.equal(torch::tensor({4.f, 2.f})));
  CHECK(spread(factors, fold).equal(torch::tensor({4.f, 2.f, 4.f, 2.f})));
}

TEST_CASE("with smoothing the plan folds every quantized input but not one in float",
          "[quant][smoothing]") {
  QuantizeOptions options = smoothing_by({});
  const modules::Model model = tiny_llama("tied");
  CHECK(make_plan(model.structure, QuantizeOptions{}).folds.empty());
  CHECK(make_plan(model.structure, options).folds.size() == 3 * 4);
  options.ignore.push_back("re:.*down_proj");
  const Plan plan = make_plan(model.structure, options);
  CHECK(plan.folds.size() == 3 * 3);
  CHECK(plan.folds[1].group == kLayer + "self_attn.o_proj.input");
  CHECK(plan.folds[1].fold.weight == kLayer + "self_attn.v_proj.weight");
  QuantizeOptions weight_only = all_by(kWeightInt8, std::nullopt);
  weight_only.smoothing.emplace();
  CHECK(error_message([&] { make_plan(model.structure, weight_only); }) ==
        "quantize.smoothing: no quantized input has channels that can be folded");
}

TEST_CASE("the strength is part of the plan's fingerprint", "[quant][smoothing]") {
  const modules::Model model = tiny_llama("tied");
  const auto fingerprint = [&](const QuantizeOptions& options) {
    return make_plan(model.structure, options).fingerprint();
  };
  const std::string at_half = fingerprint(smoothing_by({.strength = 0.5}));
  CHECK(at_half != fingerprint(smoothing_by({.strength = 0.6})));
  CHECK(at_half != fingerprint(smoothing_by({.strength = 0.5, .search = true})));
  CHECK(at_half != fingerprint(QuantizeOptions{}));
}

TEST_CASE("folding leaves the float model's logits as they are", "[quant][smoothing]") {
  // The second model has biases and six query heads on one value head.
  for (const char* variant : {"tiny_llama/tied", "tiny_llama/untied_sharded"}) {
    const Smoothed smoothed(smoothing_by({.strength = 0.75}), variant);
    const Tensor plain = smoothed.float_logits(smoothed.model.weights);
    CHECK(largest_difference(plain, smoothed.float_logits(smoothed.weights())) < 1e-4f);
    const std::string norm = kLayer + "input_layernorm.weight";
    CHECK(largest_difference(smoothed.weights()->get(norm), smoothed.model.weights->get(norm)) >
          0.1f);
  }
}

TEST_CASE("folding leaves the logits of other families as they are", "[quant][smoothing]") {
  // GLM-4 has norms after attention and MLP, too. Its q, k and v have biases, five query heads
  // share one value head, and gate and up are one tensor. GLM has three heads of each kind; Qwen3
  // norms q's and k's heads.
  const std::string family = GENERATE("glm4", "glm", "qwen2", "qwen3");
  INFO(family);
  const Smoothed smoothed(smoothing_by({.strength = 0.75}), "tiny_families/" + family);
  CHECK(smoothed.plan.folds.size() == 3 * 4);
  const Tensor plain = smoothed.float_logits(smoothed.model.weights);
  CHECK(largest_difference(plain, smoothed.float_logits(smoothed.weights())) < 1e-4f);
  for (const PlannedFold& planned : smoothed.plan.folds) {
    const modules::ChannelFold& fold = planned.fold;
    INFO(fold.weight);
    CHECK(largest_difference(smoothed.weights()->get(fold.weight),
                             smoothed.model.weights->get(fold.weight)) > 0.01f);
  }
}

TEST_CASE("GLM-4's norms behind attention and MLP are in no fold, and its gates carry no factor",
          "[quant][smoothing]") {
  const Smoothed smoothed(smoothing_by({.strength = 0.75}), "tiny_families/glm4");
  const auto change = [&](const std::string& name) {
    return smoothed.weights()->get(name) - smoothed.model.weights->get(name);
  };
  for (const char* norm : {"post_self_attn_layernorm.weight", "post_mlp_layernorm.weight"})
    CHECK_FALSE(smoothed.weights()->is_changed(kLayer + norm));
  // Columns of gate_up carry its norm's factors. Only up's rows are divided, by down_proj's
  // factors.
  const Tensor factors =
      smoothed.calibration.smoothing().factors.at(kLayer + "mlp.gate_up_proj.input");
  const std::string gate_up = kLayer + "mlp.gate_up_proj.weight";
  const Tensor source = smoothed.model.weights->get(gate_up), halves = source * factors;
  const auto [gate, up] = std::pair(halves.chunk(2)[0], halves.chunk(2)[1]);
  const Tensor products =
      smoothed.calibration.smoothing().factors.at(kLayer + "mlp.down_proj.input");
  const Tensor expected = torch::cat({gate, up / products.unsqueeze(1)});
  CHECK(largest_difference(smoothed.weights()->get(gate_up), expected) < 1e-6f);
  CHECK(change(kLayer + "self_attn.v_proj.bias").abs().max().item<float>() > 0.0f);
  CHECK(change(kLayer + "self_attn.q_proj.bias").abs().max().item<float>() == 0.0f);
}

TEST_CASE("a smoothed model loses less when its inputs are quantized", "[quant][smoothing]") {
  for (const SmoothingOptions& options :
       {SmoothingOptions{.strength = 0.5}, SmoothingOptions{.search = true}}) {
    const Smoothed smoothed(smoothing_by(options));
    const double plain =
                     smoothed.kl(smoothed.model.weights, smoothed.calibration.untransformed_scales),
                 better = smoothed.kl(smoothed.weights(), smoothed.calibration.scale_tensors);
    CHECK(better < 0.7 * plain);
  }
}

TEST_CASE("without folds the scales are those of a plan that does not smooth",
          "[quant][smoothing]") {
  const Smoothed smoothed(smoothing_by({})), plain(QuantizeOptions{});
  CHECK(plain.calibration.smoothing().factors.empty());
  for (const auto& [group, scale] : plain.calibration.scale_tensors)
    CHECK(smoothed.calibration.untransformed_scales.at(group).equal(scale));
}

TEST_CASE("inputs with a scale a token are smoothed as well", "[quant][smoothing]") {
  QuantizeOptions options = token_inputs();
  options.smoothing = SmoothingOptions{.search = true};
  options.ignore = {"lm_head"};
  const Smoothed smoothed(options);
  CHECK(smoothed.calibration.scale_tensors.empty());
  CHECK(smoothed.calibration.smoothing().factors.size() == 3 * 4);
  CHECK(smoothed.kl(smoothed.weights(), {}) < 2 * smoothed.kl(smoothed.model.weights, {}));
}

TEST_CASE("a smoothed calibration comes back from its file", "[quant][smoothing]") {
  const TemporaryDirectory directory;
  const Smoothed smoothed(smoothing_by({.search = true}));
  const std::filesystem::path file = directory / "calibration.safetensors";
  save_calibration(file, smoothed.calibration);
  const Calibration loaded = load_calibration(file, smoothed.plan);
  CHECK(loaded.smoothing().factors.size() == 3 * 4);
  for (const auto& [group, factors] : smoothed.calibration.smoothing().factors)
    CHECK(loaded.smoothing().factors.at(group).equal(factors));
  for (const auto& [group, scale] : smoothed.calibration.untransformed_scales)
    CHECK(loaded.untransformed_scales.at(group).equal(scale));
  CHECK(loaded.smoothing().strengths.size() == smoothed.calibration.smoothing().strengths.size());
}
