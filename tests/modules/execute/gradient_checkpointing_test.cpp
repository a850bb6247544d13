#include "modules/execute/gradient_checkpointing.h"

#include <torch/torch.h>

#include "modules/execute/float_executor.h"
#include "tests/support/catch.h"
#include "tests/support/model.h"

using namespace dualpath;
using namespace dualpath::modules;
using namespace dualpath::testing;
using torch::Tensor;

namespace {

/// Squares hidden * factor: for 3 and factor 2 it is 36, and its slopes are 24 and 36.
struct Squarer {
  Stage stage(const std::string& name) {
    return {name, /*correctable=*/true, [this](Executor&, State& state) {
              runs.push_back(state.recomputed);
              with_graph.push_back(torch::GradMode::is_enabled());
              const Tensor product = state.hidden * factor;
              state.hidden = product * product;
            }};
  }

  Tensor factor = torch::full({1}, 2.0).requires_grad_();
  std::vector<bool> runs, with_graph;
};

struct Count : torch::autograd::FunctionPostHook {
  explicit Count(int& its_calls) : calls(its_calls) {}
  torch::autograd::variable_list operator()(const torch::autograd::variable_list& outputs,
                                            const torch::autograd::variable_list&) override {
    ++calls;
    return outputs;
  }
  int& calls;
};

State state_at(const Tensor& hidden) {
  State state;
  state.hidden = hidden;
  return state;
}

FloatExecutor no_weights() {
  return {std::make_shared<MemoryStore>(NamedTensors{}), torch::kFloat};
}

}  // namespace

TEST_CASE("a checkpointed stage runs without a graph, and once more in backward",
          "[modules][checkpointing]") {
  Squarer squarer;
  const Stage stage = squarer.stage("layer");
  FloatExecutor executor = no_weights();
  Tensor hidden = torch::full({1}, 3.0).requires_grad_();
  State state = state_at(hidden);
  GradientCheckpointing({{"layer.factor", squarer.factor}}).run(stage, executor, state);
  CHECK(state.hidden.item<float>() == 36.0f);
  CHECK(squarer.runs == std::vector<bool>{false});
  state.hidden.backward();
  CHECK(squarer.runs == std::vector<bool>{false, true});
  CHECK(squarer.with_graph == std::vector<bool>{false, true});
  CHECK(hidden.grad().item<float>() == 24.0f);
  CHECK(squarer.factor.grad().item<float>() == 36.0f);
}

TEST_CASE("without checkpointing a stage runs once and keeps its graph",
          "[modules][checkpointing]") {
  Squarer squarer;
  const Stage stage = squarer.stage("layer");
  FloatExecutor executor = no_weights();
  State state = state_at(torch::full({1}, 3.0));
  GradientCheckpointing().run(stage, executor, state);
  state.hidden.backward();
  CHECK(squarer.with_graph == std::vector<bool>{true});
  CHECK(squarer.factor.grad().item<float>() == 36.0f);
}

TEST_CASE("a stage whose input has no gradient still trains its tensors, each accumulated once",
          "[modules][checkpointing]") {
  Squarer squarer;
  const Stage stage = squarer.stage("layer");
  FloatExecutor executor = no_weights();
  State state = state_at(torch::full({1}, 3.0));
  int accumulated = 0;
  const auto accumulator = torch::autograd::impl::grad_accumulator(squarer.factor);
  accumulator->add_post_hook(std::make_unique<Count>(accumulated));  // like c10d's Reducer
  GradientCheckpointing({{"layer.factor", squarer.factor}}).run(stage, executor, state);
  state.hidden.backward();
  CHECK(accumulated == 1);
  CHECK(squarer.factor.grad().item<float>() == 36.0f);
}

TEST_CASE("nothing trained and no gradient wanted: nothing is recomputed",
          "[modules][checkpointing]") {
  Squarer squarer;
  squarer.factor.requires_grad_(false);
  const Stage stage = squarer.stage("layer");
  FloatExecutor executor = no_weights();
  State state = state_at(torch::full({1}, 3.0));
  GradientCheckpointing({{"other.factor", torch::ones(1).requires_grad_()}})
      .run(stage, executor, state);
  CHECK_FALSE(state.hidden.requires_grad());
}

TEST_CASE("a trained tensor that checkpointing was not told of is an error, not a silent loss",
          "[modules][checkpointing]") {
  Squarer squarer;
  const std::string told = GENERATE("layers.10.factor", "layers.factor", "layers.1");
  const Stage stage = squarer.stage("layers.1");
  FloatExecutor executor = no_weights();
  State state = state_at(torch::full({1}, 3.0).requires_grad_());
  GradientCheckpointing({{told, squarer.factor}}).run(stage, executor, state);
  CHECK_THROWS_WITH(state.hidden.backward(),
                    Catch::Contains("layers.1 trains a tensor [1] that gradient checkpointing"));
}

TEST_CASE("two tensors of one name are both trained", "[modules][checkpointing]") {
  const Tensor weight = torch::full({1}, 2.0).requires_grad_(),
               correction = torch::full({1}, 5.0).requires_grad_();
  const Stage stage{"layer", /*correctable=*/true, [&](Executor&, State& state) {
                      state.hidden = state.hidden * weight + correction;
                    }};
  FloatExecutor executor = no_weights();
  State state = state_at(torch::full({1}, 3.0));
  GradientCheckpointing({{"layer.down.weight", weight}, {"layer.down.weight", correction}})
      .run(stage, executor, state);
  state.hidden.backward();
  CHECK(weight.grad().item<float>() == 3.0f);
  CHECK(correction.grad().item<float>() == 1.0f);
}

TEST_CASE("a stage that fills a cache cannot be checkpointed", "[modules][checkpointing]") {
  Squarer squarer;
  const Stage stage = squarer.stage("layer");
  FloatExecutor executor = no_weights();
  KvCache cache;
  State state = state_at(torch::full({1}, 3.0));
  state.cache = &cache;
  const GradientCheckpointing checkpointing{std::multimap<std::string, Tensor>{}};
  CHECK_THROWS_WITH(checkpointing.run(stage, executor, state),
                    Catch::Contains("cannot be recomputed"));
}

TEST_CASE("a network may be shortened to its first layers", "[modules][checkpointing]") {
  Squarer squarer;
  Network network;
  network.head.ref.name = "head";
  for (const char* name : {"embed", "layers.0", "layers.1", "norm"})
    network.stages.push_back(squarer.stage(name));
  network.stages.front().correctable = network.stages.back().correctable = false;
  const auto names = [&](std::size_t layers) {
    std::vector<std::string> result;
    for (const Stage& stage : shortened(network, layers).stages) result.push_back(stage.name);
    return result;
  };
  CHECK(names(0) == std::vector<std::string>{"embed", "norm"});
  CHECK(names(1) == std::vector<std::string>{"embed", "layers.0", "norm"});
  CHECK(names(9) == std::vector<std::string>{"embed", "layers.0", "layers.1", "norm"});
  CHECK(shortened(network, 1).head.ref.name == "head");
}
