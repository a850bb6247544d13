#include "modules/network/sweep.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>
#include <set>

#include "modules/execute/float_executor.h"
#include "tests/support/catch.h"
#include "tests/support/model.h"

using namespace dualpath::modules;
using namespace dualpath::testing;
using at::Tensor;

namespace {

/// A store that tells which of its tensors somebody still holds.
class WatchedStore : public LayeredStore {
 public:
  using LayeredStore::LayeredStore;

  Tensor get(const std::string& name) const override {
    const Tensor tensor = LayeredStore::get(name).clone();
    given_.emplace(name, tensor.getIntrusivePtr());
    return tensor;
  }
  std::set<std::string> held() const {
    std::set<std::string> names;
    for (const auto& [name, tensor] : given_) {
      if (tensor.use_count() > 0) names.insert(name);
    }
    return names;
  }

 private:
  mutable std::multimap<std::string, c10::weak_intrusive_ptr<c10::TensorImpl>> given_;
};

std::vector<State> states_of(const Tensor& ids) {
  std::vector<State> states;
  for (const Tensor& window : ids.split(1)) states.push_back(make_state(window));
  return states;
}

}  // namespace

TEST_CASE("a sweep makes what runs of one state after the other make", "[modules][sweep]") {
  const at::NoGradGuard no_grad;
  const Model model = tiny_llama("untied_sharded");
  const Tensor ids = at::arange(60).view({5, 12});
  FloatExecutor executor(model.weights, at::kFloat);
  std::vector<State> swept = states_of(ids), alone = states_of(ids);
  std::size_t done = 0;
  sweep(model.network, executor, swept, kAllStages, [&] { ++done; });
  CHECK(done == 5 * model.network.stages.size());
  for (std::size_t i = 0; i < alone.size(); ++i) {
    run(model.network, executor, alone[i]);
    CHECK(swept[i].hidden.equal(alone[i].hidden));
  }
}

TEST_CASE("a sweep holds the weights of one stage at a time", "[modules][sweep]") {
  const at::NoGradGuard no_grad;
  const Model model = tiny_llama("untied_sharded");
  const auto store = std::make_shared<WatchedStore>(model.weights);
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16);
  FloatExecutor executor(store, dtype, Preparation::kLinears);
  std::vector<State> states = states_of(at::arange(24).view({2, 12}));
  std::set<std::string> layers;
  sweep(model.network, executor, states, kAllStages, [&] {
    std::set<std::string> now;
    for (const std::string& name : store->held()) {
      const auto owner = std::ranges::find_if(model.network.stages, [&](const Stage& stage) {
        return name.starts_with(stage.name + ".");
      });
      REQUIRE(owner != model.network.stages.end());
      now.insert(owner->name);
    }
    CHECK(now.size() <= 1);
    layers.merge(now);
  });
  CHECK(store->held().empty());
  if (dtype == at::kFloat) CHECK(layers.size() == model.network.stages.size());
}

TEST_CASE("stages that do not run on a state leave it as it is", "[modules][sweep]") {
  const at::NoGradGuard no_grad;
  const Model model = tiny_llama("tied");
  FloatExecutor executor(model.weights, at::kFloat);
  std::vector<State> states = states_of(at::arange(24).view({2, 12}));
  sweep(
      model.network, executor, states,
      [&](const Stage&, const State& state) { return &state == &states[1]; }, [] {});
  CHECK_FALSE(states[0].hidden.defined());
  CHECK(states[1].hidden.defined());
}
