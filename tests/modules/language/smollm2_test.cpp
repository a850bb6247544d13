#include <torch/utils.h>

#include <nlohmann/json.hpp>

#include "data/files/checksum.h"
#include "data/formats/json.h"
#include "modules/execute/float_executor.h"
#include "tests/modules/greedy.h"
#include "tests/support/catch.h"
#include "tests/support/model.h"

using namespace dualpath;
using namespace dualpath::modules;
using namespace dualpath::testing;

namespace {

/// SmolLM2, opened and decoded once: its executor keeps 540 MB.
struct SmolLM2 {
  Model model = open_model(kSmolLM2);
  FloatExecutor executor{model.weights, at::kFloat};
  NamedTensors expected = expected_tensors("smollm2/smollm2_logits.safetensors");
  float bound = logit_bound(expected["attention_difference"]);

  /// The executor's largest distance from transformers' logits.
  float difference(Executor& other) {
    const torch::NoGradGuard no_grad;
    return largest_difference(logits_of(model.network, other, expected["ids"]), expected["logits"]);
  }
};

SmolLM2& smollm2() {
  static SmolLM2 opened;
  return opened;
}

std::string sha256_of(const at::Tensor& values) { return sha256_hex(view_of(values).bytes); }

}  // namespace

TEST_CASE("every tensor of the GGUF file has the values that the gguf package decodes",
          "[modules][smollm2]") {
  const nlohmann::json tensors =
      data::read_json(kReference / "smollm2/smollm2_weights.json")["tensors"];
  const WeightStore& weights = *smollm2().model.weights;
  std::vector<std::string> names;
  for (const auto& [name, expected] : tensors.items()) {
    INFO(name);
    names.push_back(name);
    const at::Tensor values = weights.get(name);
    CHECK(values.scalar_type() == at::kFloat);
    CHECK(values.sizes() == expected["shape"].get<std::vector<std::int64_t>>());
    CHECK(weights.info(name).shape == values.sizes());
    CHECK(sha256_of(values) == expected["sha256"].get<std::string>());
  }
  CHECK(weights.names() == names);
}

TEST_CASE("SmolLM2's logits are transformers' in float32", "[modules][smollm2]") {
  SmolLM2& s = smollm2();
  const float difference = s.difference(s.executor);
  WARN("largest difference to transformers: " << difference << ", allowed: " << s.bound);
  CHECK(difference <= s.bound);
}

TEST_CASE("each stage of SmolLM2 leaves the hidden state that transformers has there",
          "[modules][smollm2]") {
  const torch::NoGradGuard no_grad;
  SmolLM2& s = smollm2();
  const at::Tensor expected = s.expected["hidden"].squeeze(0);  // [1 + layers, T, H]
  State state = make_state(s.expected["ids"].narrow(0, 0, 1));
  for (std::int64_t i = 0; i < expected.size(0); ++i) {
    const Stage& stage = s.model.network.stages[static_cast<std::size_t>(i)];
    INFO(stage.name);
    run(stage, s.executor, state);
    const at::Tensor off = (state.hidden.squeeze(0) - expected[i]).norm(2, {-1});
    CHECK((off / expected[i].norm(2, {-1})).max().item<float>() < 1e-5f);
  }
}

TEST_CASE("one weight that is off by 0.01 shows in SmolLM2's logits", "[modules][smollm2]") {
  SmolLM2& s = smollm2();
  const std::string name = "model.layers.12.mlp.gate_proj.weight";
  const at::Tensor weight = s.model.weights->get(name).clone();
  weight[5][7] += 1e-2;
  const auto overlay = std::make_shared<WeightOverlay>(s.model.weights);
  overlay->set(name, weight);
  FloatExecutor perturbed(overlay, at::kFloat);
  const float difference = s.difference(perturbed);
  WARN("largest difference with one weight off: " << difference << ", allowed: " << s.bound);
  CHECK(difference > s.bound);
}

TEST_CASE("SmolLM2 continues a text greedily with the 64 tokens of transformers",
          "[modules][smollm2]") {
  const torch::NoGradGuard no_grad;
  SmolLM2& s = smollm2();
  const at::Tensor tokens =
      continue_greedily(s.model.network, s.executor, s.expected["prompt"], 64);
  CHECK(tokens.equal(s.expected["greedy"]));
}
