#include "trainer/train/blocks.h"

#include <torch/torch.h>

#include "tests/support/catch.h"
#include "tests/support/error_message.h"

using namespace dualpath;
using namespace dualpath::testing;
using namespace dualpath::trainer;
using Names = std::vector<std::string>;

namespace {

/// A decoder of four layers behind a tower of one.
modules::Network small_network() {
  modules::Network network;
  const auto add = [&](const char* name, bool correctable, modules::Modality stream) {
    network.stages.push_back({name, correctable, {}, stream});
  };
  add("vision.patches", false, modules::Modality::kImage);
  add("vision.layers.0", true, modules::Modality::kImage);
  add("model.embed_tokens", false, modules::Modality::kText);
  for (const char* layer :
       {"model.layers.0", "model.layers.1", "model.layers.10", "model.layers.11"})
    add(layer, true, modules::Modality::kText);
  add("model.norm", false, modules::Modality::kText);
  network.head.ref.name = "lm_head";
  return network;
}

std::vector<Names> stages_of(const std::vector<Block>& blocks) {
  std::vector<Names> all;
  for (const Block& block : blocks) {
    Names& names = all.emplace_back();
    for (const modules::Stage& stage : block.network.stages) names.push_back(stage.name);
  }
  return all;
}

ParameterGroup group_of(const Names& names, double rate) {
  ParameterGroup group{{}, rate, 0.0};
  for (const std::string& name : names) group.parameters[name] = torch::zeros({1});
  return group;
}

}  // namespace

TEST_CASE("a network is cut behind every so many layers", "[trainer][blocks]") {
  const modules::Network network = small_network();
  CHECK(stages_of(blocks_of(network, {}, 1)) ==
        std::vector<Names>{{"vision.patches", "vision.layers.0"},
                           {"model.embed_tokens", "model.layers.0"},
                           {"model.layers.1"},
                           {"model.layers.10"},
                           {"model.layers.11", "model.norm"}});
  const std::vector<Block> pairs = blocks_of(network, {}, 2);
  CHECK(stages_of(pairs) == std::vector<Names>{{"vision.patches", "vision.layers.0",
                                                "model.embed_tokens", "model.layers.0"},
                                               {"model.layers.1", "model.layers.10"},
                                               {"model.layers.11", "model.norm"}});
  CHECK(pairs[1].name() == "model.layers.1 to model.layers.10");
  CHECK_FALSE(pairs[1].network.head.exists());
  CHECK(pairs[2].name() == "model.layers.11");
  CHECK(pairs[2].network.head.exists());
  CHECK(stages_of(blocks_of(network, {}, 100)).size() == 1);
}

TEST_CASE("what is trained belongs to the block of its stage", "[trainer][blocks]") {
  const std::vector<Block> blocks = blocks_of(
      small_network(),
      {group_of({"correction.model.layers.1.head", "correction.model.layers.10.head"}, 0.5),
       group_of({"weight.model.embed_tokens.weight", "weight.model.layers.1.norm.weight",
                 "weight.model.norm.weight", "weight.lm_head.weight"},
                0.25)},
      1);
  const auto parameters = [&](std::size_t block) {
    std::vector<std::pair<std::string, double>> all;
    for (const ParameterGroup& group : blocks[block].groups) {
      for (const auto& [name, tensor] : group.parameters)
        all.emplace_back(name, group.learning_rate);
    }
    return all;
  };
  using Rates = std::vector<std::pair<std::string, double>>;
  CHECK(parameters(0).empty());
  CHECK(parameters(1) == Rates{{"weight.model.embed_tokens.weight", 0.25}});
  CHECK(parameters(2) == Rates{{"correction.model.layers.1.head", 0.5},
                               {"weight.model.layers.1.norm.weight", 0.25}});
  CHECK(parameters(3) == Rates{{"correction.model.layers.10.head", 0.5}});
  CHECK(parameters(4) ==
        Rates{{"weight.lm_head.weight", 0.25}, {"weight.model.norm.weight", 0.25}});
  CHECK(error_message([&] {
          blocks_of(small_network(), {group_of({"weight.other.weight"}, 1.0)}, 1);
        }) == "train.strategy: other.weight is trained and belongs to no stage");
}
