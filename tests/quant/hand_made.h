#pragma once

#include <memory>
#include <string>
#include <vector>

#include "modules/network.h"
#include "quant/scheme.h"
#include "tests/support/catch.h"
#include "tests/support/model.h"

namespace dualpath::testing {

/// A network of width 2 whose numbers can be followed by hand: a table, two layers of one linear
/// each (model.layers.0.proj, model.layers.1.proj), and the table again as the head.
inline modules::Network hand_made_network() {
  using modules::Executor;
  using modules::State;
  const auto layer = [](const std::string& name) {
    const modules::LinearRef proj{name + ".proj", 2, 2};
    return modules::Stage{name, /*correctable=*/true, [proj](Executor& executor, State& state) {
                            state.hidden = executor.linear({proj}, state.hidden).front();
                          }};
  };
  const modules::EmbeddingRef table{"table", 4, 2};
  const auto embed = [table](Executor& executor, State& state) {
    state.hidden = executor.embedding(table, state.ids);
  };
  return {
      {{"table", /*correctable=*/false, embed}, layer("model.layers.0"), layer("model.layers.1")},
      {{"head", 2, 4}}};
}

inline const std::vector<std::string> kStages{"model.layers.0", "model.layers.1"};

/// Token 0 is [1, 0], 1 is [0, 2], 2 is [3, 4], 3 is [100, 100]; the first layer keeps, the second
/// doubles.
inline std::shared_ptr<const modules::WeightStore> hand_made_weights() {
  const torch::Tensor eye = torch::eye(2);
  return std::make_shared<MemoryStore>(modules::NamedTensors{
      {"table.weight", torch::tensor({{1.f, 0.f}, {0.f, 2.f}, {3.f, 4.f}, {100.f, 100.f}})},
      {"model.layers.0.proj.weight", eye},
      {"model.layers.1.proj.weight", 2.0 * eye},
      {"head.weight", torch::zeros({4, 2})}});
}

/// The same, but the first layer makes the second channel half as large again.
inline std::shared_ptr<modules::WeightOverlay> skewed_weights() {
  auto weights = std::make_shared<modules::WeightOverlay>(hand_made_weights());
  weights->set("model.layers.0.proj.weight", torch::tensor({{1.f, 0.f}, {0.f, 1.5f}}));
  return weights;
}

/// W8A8 whose inputs have a scale a token.
inline quant::QuantizeOptions token_inputs() {
  quant::QuantizeOptions options;
  options.config_groups = {{.name = "all", .input_activations = quant::kTokenInt8}};
  return options;
}

/// The same for the MLP's linears; the others' inputs are static.
inline quant::QuantizeOptions mlp_by_token() {
  quant::QuantizeOptions options;
  options.config_groups = {
      {.name = "mlp", .targets = {"re:.*mlp.*"}, .input_activations = quant::kTokenInt8},
      {.name = "rest"}};
  return options;
}

}  // namespace dualpath::testing
