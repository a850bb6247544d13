#include "quant/export/quantization_config.h"

#include <nlohmann/json.hpp>

#include "quant/plan/planner.h"
#include "tests/quant/hand_made.h"
#include "tests/support/catch.h"
#include "tests/support/error_message.h"

using namespace dualpath;
using namespace dualpath::quant;
using namespace dualpath::testing;
using nlohmann::json;

namespace {

const modules::Model& llama() {
  static const modules::Model model = tiny_llama("tied");
  return model;
}

QuantizeOptions read(const json& config) {
  return read_quantization_config(data::JsonObject::parse(config.dump(), "config.json"));
}

/// One config group; two of its linears have schemes of their own.
QuantizeOptions with_overrides() {
  QuantizeOptions options;
  options.overrides["model.layers.1.mlp.down_proj.weight"] =
      weights_of(4, Strategy::kGroup, 32, false);
  options.overrides["model.layers.0.self_attn.v_proj.input"] = kTokenInt8;
  return options;
}

/// One group of 8-bit weights and static inputs, with some keys of the weights changed.
json with_weights(const json& changes) {
  QuantizeOptions options;
  json config = quantization_config(options, make_plan(llama().structure, options));
  config["config_groups"]["group_0"]["weights"].update(changes);
  return config;
}

}  // namespace

TEST_CASE("a quantization_config that is read again makes the same plan", "[quant][export]") {
  const QuantizeOptions options = GENERATE(QuantizeOptions{}, token_inputs(), mixed_schemes(),
                                           torn_schemes(), with_overrides());
  const Plan plan = make_plan(llama().structure, options);
  const QuantizeOptions again = read(quantization_config(options, plan));
  CHECK(make_plan(llama().structure, again).fingerprint() == plan.fingerprint());
}

TEST_CASE("linears that overrides part from their group are groups of an export",
          "[quant][export]") {
  const QuantizeOptions options = with_overrides();
  const json groups =
      quantization_config(options, make_plan(llama().structure, options))["config_groups"];
  REQUIRE(groups.size() == 3);
  CHECK(groups["group_0"]["targets"].size() == 3 * 7 - 2);
  CHECK(groups["group_1"]["targets"] ==
        std::vector<std::string>{"model.layers.0.self_attn.v_proj"});
  CHECK(groups["group_1"]["input_activations"]["strategy"] == "token");
  CHECK(groups["group_2"]["targets"] == std::vector<std::string>{"model.layers.1.mlp.down_proj"});
  CHECK(groups["group_2"]["weights"]["num_bits"] == 4);
  CHECK(groups["group_2"]["format"] == "pack-quantized");
}

TEST_CASE("an export may hold bits and groups that run, though no recipe offers them",
          "[quant][export]") {
  const QuantizeOptions options =
      read(with_weights({{"num_bits", 5}, {"strategy", "group"}, {"group_size", 16}}));
  CHECK(options.config_groups.front().weights == weights_of(5, Strategy::kGroup, 16, true));
}

TEST_CASE("what an export says and cannot run is refused by its key", "[quant][export]") {
  const std::string key = "config.json: config_groups.group_0.weights";
  const auto refused = [](const json& changes) {
    return error_message([&] { read(with_weights(changes)); });
  };
  CHECK(refused({{"num_bits", 9}}) == key + ".num_bits: expected an integer in [2, 8], got 9");
  CHECK(refused({{"type", "float"}}) == key + ".type: expected int, got float");
  CHECK(refused({{"strategy", "block"}}) ==
        key + ".strategy: expected channel or group, got block");
  CHECK(refused({{"symmetric", false}}) ==
        key + ": expected symmetric: true with num_bits: 8, got false");
  CHECK(refused({{"dynamic", true}}) ==
        key + ".dynamic: expected false, since weights are quantized once, got true");
  CHECK_THAT(refused({{"block_structure", json::array({128, 128})}}),
             Catch::StartsWith(key + ".block_structure: expected null, since"));
  CHECK(refused({{"actorder", nullptr}, {"observer_kwargs", json::object()}}) ==
        "(no Error was thrown)");
}
