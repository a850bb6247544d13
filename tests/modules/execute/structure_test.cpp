#include "modules/execute/structure.h"

#include "tests/support/catch.h"
#include "tests/support/error_message.h"
#include "tests/support/model.h"

using namespace dualpath::modules;
using namespace dualpath::testing;

TEST_CASE("a network run without data tells what it is made of", "[modules][structure]") {
  const Structure structure = tiny_llama("untied_sharded").structure;
  std::vector<std::vector<std::string>> first_layer;
  for (const LinearUse& use : structure.linears) {
    if (use.stage != "model.layers.0") continue;
    first_layer.emplace_back();
    for (const LinearRef& ref : use.refs) first_layer.back().push_back(ref.name);
  }
  const std::string attention = "model.layers.0.self_attn.", mlp = "model.layers.0.mlp.";
  CHECK(first_layer == std::vector<std::vector<std::string>>{
                           {attention + "q_proj", attention + "k_proj", attention + "v_proj"},
                           {attention + "o_proj"},
                           {mlp + "gate_proj", mlp + "up_proj"},
                           {mlp + "down_proj"}});
  CHECK(structure.linears.size() == 2 * 4 + 1);
  CHECK(structure.linears.back().stage == "lm_head");
  CHECK(structure.norms.size() == 2 * 2 + 1);
  CHECK(structure.norms.back().name == "model.norm");
  CHECK(structure.embeddings.size() == 1);
  CHECK(structure.embeddings.front().rows == 512);
  CHECK(structure.attentions.size() == 2);
  CHECK(structure.attentions.front().ref.num_heads == 6);
  CHECK(structure.attentions.front().ref.num_key_value_heads == 1);
  CHECK(structure.taps ==
        std::vector<SiteName>{"model.layers.0.self_attn.residual", "model.layers.0.mlp.residual",
                              "model.layers.1.self_attn.residual", "model.layers.1.mlp.residual"});
}

TEST_CASE("the refs of a network carry the sizes and biases of the config",
          "[modules][structure]") {
  const Structure structure = tiny_llama("untied_sharded").structure;
  const LinearRef& k = structure.linears.front().refs[1];
  CHECK(k.in_features == 72);
  CHECK(k.out_features == 20);
  CHECK(k.bias);
  CHECK(k.weight_name() == "model.layers.0.self_attn.k_proj.weight");
  CHECK(k.bias_name() == "model.layers.0.self_attn.k_proj.bias");
  CHECK(k.input_site() == "model.layers.0.self_attn.k_proj.input");
  CHECK_FALSE(structure.linears.back().refs.front().bias);
}

TEST_CASE("a weight whose codes are packed is checked by the shape beside them",
          "[modules][structure]") {
  Structure structure;
  structure.linears = {{"layer", {{"a", 64, 3}}}};
  const auto store = [](std::int64_t inputs) {
    return MemoryStore({{"a.weight_packed", torch::zeros({3, 8}, at::kInt)},
                        {"a.weight_shape", torch::tensor({std::int64_t{3}, inputs})}});
  };
  check_weights(structure, store(64), "export");
  CHECK(error_message([&] { check_weights(structure, store(32), "export"); }) ==
        "export: a.weight_shape: expected [3, 64], got [3, 32]");
  CHECK(error_message([&] { check_weights(structure, MemoryStore({}), "export"); }) ==
        "export: a.weight is missing");
}

TEST_CASE("a weight that the network does not read is named, unless it has no effect",
          "[modules][structure]") {
  Structure structure;
  structure.linears = {{"layer", {{"a", 2, 1}}}};
  const auto mistake = [&](const std::vector<std::string>& others) {
    NamedTensors tensors{{"a.weight", torch::zeros({1, 2})}};
    for (const std::string& name : others) tensors[name] = torch::zeros(1);
    return error_message([&] { check_all_read(structure, MemoryStore(tensors), "model"); });
  };
  CHECK(mistake({}) == "(no Error was thrown)");
  CHECK(mistake({"layers.0.self_attn.rotary_emb.inv_freq", "vision.embeddings.position_ids",
                 "conv.norm.num_batches_tracked", "vision.pooler.dense.weight"}) ==
        "(no Error was thrown)");
  const std::string others = "model: holds weights that its configuration has no place for: ";
  CHECK(mistake({"a.bias"}) == others + "a.bias");
  CHECK(mistake({"b", "c", "d", "e", "f"}) == others + "b; c; d; e; and 1 more");
  CHECK(mistake({"a\nb"}) == others + "a\\nb");
}

TEST_CASE("only a network's layers may be corrected, each as wide as its hidden states",
          "[modules][structure]") {
  const Model model = tiny_llama("tied");
  const Network& network = model.network;
  std::vector<std::string> correctable, others;
  for (const Stage& stage : network.stages) {
    (stage.correctable ? correctable : others).push_back(stage.name);
  }
  CHECK(correctable ==
        std::vector<std::string>{"model.layers.0", "model.layers.1", "model.layers.2"});
  CHECK(others == std::vector<std::string>{"model.embed_tokens", "model.norm"});
  CHECK(widths_of(model.structure.stages) ==
        std::vector<std::string>{"model.layers.0: 64", "model.layers.1: 64", "model.layers.2: 64"});
}
