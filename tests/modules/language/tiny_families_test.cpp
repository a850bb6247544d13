#include <torch/utils.h>

#include "modules/execute/float_executor.h"
#include "tests/modules/greedy.h"
#include "tests/support/catch.h"
#include "tests/support/model.h"

using namespace dualpath::modules;
using namespace dualpath::testing;

namespace {

std::vector<std::string> norms_of_first_layer(const Model& model) {
  const std::string layer = "model.layers.0.";
  std::vector<std::string> names;
  for (const NormRef& norm : model.structure.norms) {
    if (norm.name.starts_with(layer)) names.push_back(norm.name.substr(layer.size()));
  }
  return names;
}

}  // namespace

TEST_CASE("small models of every family have transformers' logits and continuation",
          "[modules][decoder]") {
  const torch::NoGradGuard no_grad;
  const std::string family = GENERATE("glm4", "glm", "qwen2", "qwen3");
  INFO(family);
  const Model model = tiny_family(family);
  NamedTensors expected = expected_tensors("tiny_families/" + family + ".safetensors");
  FloatExecutor executor(model.weights, at::kFloat);
  const at::Tensor logits = logits_of(model.network, executor, expected["ids"]);
  CHECK(largest_difference(logits, expected["logits"]) <=
        logit_bound(expected["attention_difference"]));
  CHECK(
      continue_greedily(model.network, executor, expected["prompt"], 64).equal(expected["greedy"]));
}

TEST_CASE("half precision moves every family's logits a little", "[modules][decoder]") {
  const torch::NoGradGuard no_grad;
  const std::string family = GENERATE("glm4", "glm", "qwen2", "qwen3");
  INFO(family);
  const Model model = tiny_family(family);
  NamedTensors expected = expected_tensors("tiny_families/" + family + ".safetensors");
  FloatExecutor executor(model.weights, at::kBFloat16);
  const at::Tensor logits = logits_of(model.network, executor, expected["ids"]);
  CHECK(logits.scalar_type() == at::kBFloat16);
  CHECK(mean_kl(expected["logits"], logits) < 1e-2);
}

TEST_CASE("GLM-4 has norms on both sides of attention and MLP, and gate and up in one linear",
          "[modules][structure]") {
  const Model model = tiny_family("glm4");
  CHECK(norms_of_first_layer(model) ==
        std::vector<std::string>{"input_layernorm", "post_self_attn_layernorm",
                                 "post_attention_layernorm", "post_mlp_layernorm"});
  const LinearUse& gate_up = model.structure.linears[2];
  REQUIRE(gate_up.refs.size() == 1);
  CHECK(gate_up.refs.front().name == "model.layers.0.mlp.gate_up_proj");
  CHECK(gate_up.refs.front().out_features == 2 * 136);
  for (const LinearRef& ref : model.structure.linears[0].refs) CHECK(ref.bias);
  CHECK_FALSE(model.structure.linears[1].refs.front().bias);
}

TEST_CASE("Qwen3's heads of q and k have a norm each, as wide as a head", "[modules][structure]") {
  const Model model = tiny_family("qwen3");
  CHECK(norms_of_first_layer(model) ==
        std::vector<std::string>{"input_layernorm", "self_attn.q_norm", "self_attn.k_norm",
                                 "post_attention_layernorm"});
  CHECK(model.structure.norms[1].width == 24);
}
