#include <torch/utils.h>

#include "modules/execute/float_executor.h"
#include "modules/language/decoder.h"
#include "tests/modules/greedy.h"
#include "tests/support/catch.h"
#include "tests/support/error_message.h"
#include "tests/support/model.h"

using namespace dualpath;
using namespace dualpath::modules;
using namespace dualpath::testing;

TEST_CASE("small models of every kind have transformers' logits and continuation",
          "[modules][decoder]") {
  const torch::NoGradGuard no_grad;
  const std::string variant = GENERATE("tied", "untied_sharded", "bfloat16", "float16", "outliers");
  INFO(variant);
  const Model model = tiny_llama(variant);
  NamedTensors expected = expected_tensors("tiny_llama/" + variant + ".safetensors");
  FloatExecutor executor(model.weights, at::kFloat);
  const at::Tensor logits = logits_of(model.network, executor, expected["ids"]);
  CHECK(largest_difference(logits, expected["logits"]) <=
        logit_bound(expected["attention_difference"]));
  CHECK(
      continue_greedily(model.network, executor, expected["prompt"], 64).equal(expected["greedy"]));
}

TEST_CASE("half precision moves the logits a little and keeps its dtype", "[modules][decoder]") {
  const torch::NoGradGuard no_grad;
  const auto [dtype, allowed_kl] =
      GENERATE(table<at::ScalarType, double>({{at::kBFloat16, 1e-2}, {at::kHalf, 1e-4}}));
  const Model model = tiny_llama("tied");
  NamedTensors expected = expected_tensors("tiny_llama/tied.safetensors");
  FloatExecutor executor(model.weights, dtype);
  const at::Tensor logits = logits_of(model.network, executor, expected["ids"]);
  CHECK(logits.scalar_type() == dtype);
  const double kl = mean_kl(expected["logits"], logits);
  CHECK(kl > 0.0);
  CHECK(kl < allowed_kl);
}

TEST_CASE("a rotation that is scaled is refused by name", "[modules][decoder]") {
  const std::string message = error_message([] { tiny_llama("llama3_rope"); });
  CHECK_THAT(message, Catch::Contains("config.json: rope_parameters: rope_type: "
                                      "expected \"default\", got \"llama3\""));
}

TEST_CASE("padding on the right changes nothing for the tokens before it", "[modules][decoder]") {
  const torch::NoGradGuard no_grad;
  const Model model = tiny_llama("tied");
  const at::Tensor ids = expected_tensors("tiny_llama/tied.safetensors")["ids"];
  FloatExecutor executor(model.weights, at::kFloat);
  const at::Tensor alone = logits_of(model.network, executor, ids.narrow(0, 0, 1).narrow(1, 0, 40));

  at::Tensor padded = ids.clone(), mask = at::ones_like(ids, at::kBool);
  padded[0].narrow(0, 40, 24).zero_();
  mask[0].narrow(0, 40, 24).zero_();
  const at::Tensor batch = logits_of(model.network, executor, padded, mask);
  CHECK(largest_difference(batch.narrow(0, 0, 1).narrow(1, 0, 40), alone) < 2e-5f);
}

TEST_CASE("a prompt fed to the KV cache in pieces gives the logits of the whole",
          "[modules][decoder]") {
  const torch::NoGradGuard no_grad;
  const Model model = GENERATE(tiny_llama("untied_sharded"), tiny_family("glm4"));
  const at::Tensor ids =
      expected_tensors("tiny_llama/untied_sharded.safetensors")["ids"].narrow(0, 0, 2);
  FloatExecutor executor(model.weights, at::kFloat);
  const at::Tensor whole = logits_of(model.network, executor, ids);

  KvCache cache;
  std::vector<at::Tensor> pieces;
  for (const at::Tensor& piece : ids.split_with_sizes({10, 1, 20, 33}, 1)) {
    State state = make_state(piece, &cache);
    run(model.network, executor, state);
    pieces.push_back(model.network.head.logits(executor, state.hidden));
  }
  CHECK(cache.length() == 64);
  CHECK(largest_difference(at::cat(pieces, 1), whole) < 2e-5f);
}

TEST_CASE("each way to bend the gate is the one that its name says", "[modules][decoder]") {
  const auto [activation, at_minus_one] =
      GENERATE(table<Activation, float>({{Activation::kSilu, -0.26894142f},
                                         {Activation::kGelu, -0.15865525f},
                                         {Activation::kGeluTanh, -0.15880801f},
                                         {Activation::kRelu, 0.0f}}));
  // The one layer's attention adds nothing, its gate sees -1 and its up sees 1. So the MLP adds
  // activation(-1) to a hidden state of ones.
  DecoderConfig config;
  config.vocab_size = config.num_hidden_layers = config.num_attention_heads = 1;
  config.num_key_value_heads = 1;
  config.hidden_size = config.head_dim = config.intermediate_size = 2;
  config.rms_norm_eps = 1e-12;
  config.rotation = {.theta = 10.0, .dim = 2};
  config.activation = activation;
  const Network network = make_decoder(config);
  const at::Tensor eye = at::eye(2), ones = at::ones(2);
  const std::string layer = "model.layers.0.";
  const auto weights = std::make_shared<MemoryStore>(NamedTensors{
      {"model.embed_tokens.weight", at::ones({1, 2})},
      {layer + "input_layernorm.weight", ones},
      {layer + "self_attn.q_proj.weight", eye},
      {layer + "self_attn.k_proj.weight", eye},
      {layer + "self_attn.v_proj.weight", eye},
      {layer + "self_attn.o_proj.weight", at::zeros({2, 2})},
      {layer + "post_attention_layernorm.weight", ones},
      {layer + "mlp.gate_proj.weight", -eye},
      {layer + "mlp.up_proj.weight", eye},
      {layer + "mlp.down_proj.weight", eye},
  });
  FloatExecutor executor(weights, at::kFloat);
  State state = make_state(at::zeros({1, 1}, at::kLong));
  run(network.stages[0], executor, state);
  run(network.stages[1], executor, state);
  CHECK(at::allclose(state.hidden, at::full({1, 1, 2}, 1.0f + at_minus_one), 1e-6, 1e-6));
}
