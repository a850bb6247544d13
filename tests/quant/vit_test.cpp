#include "modules/vit.h"

#include <torch/torch.h>

#include "modules/safetensors_store.h"
#include "quant/calibration.h"
#include "quant/corrections.h"
#include "quant/paired_forward.h"
#include "quant/quantized_executor.h"
#include "quant/smoothed_weights.h"
#include "tests/support/catch.h"
#include "tests/support/model.h"

using namespace dualpath;
using namespace dualpath::quant;
using namespace dualpath::testing;
using modules::Modality;
using torch::Tensor;

namespace {

/// A small vision transformer of either naming, planned as W8A8 and calibrated on noise.
struct Tower {
  explicit Tower(const std::string& name, const QuantizeOptions& options)
      : path(kReference / "vit" / name),
        config(modules::VitConfig::from_json(data::JsonObject::read(path / "config.json"))),
        network(modules::make_vit(config)),
        structure(modules::structure_of(network)),
        weights(std::make_shared<modules::SafetensorsStore>(path)),
        plan(make_plan(structure, options)),
        calibration(
            calibrate(network, weights, torch::kFloat, plan, samples(), [](std::int64_t) {})),
        scales(calibration.scales()) {}

  static modules::State state_of(const Tensor& pixels) {
    modules::State state;
    state.towers[Modality::kImage].input = pixels;
    return state;
  }
  static std::vector<modules::State> samples() {
    torch::manual_seed(7);
    return {state_of(torch::randn({1, 3, 64, 64})), state_of(torch::randn({1, 3, 64, 64}))};
  }
  Tensor features(modules::Executor& executor, const Tensor& pixels) const {
    modules::State state = state_of(pixels);
    modules::run(network, executor, state);
    return state.stream(Modality::kImage).hidden;
  }

  std::filesystem::path path;
  modules::VitConfig config;
  modules::Network network;
  modules::Structure structure;
  std::shared_ptr<const modules::WeightStore> weights;
  Plan plan;
  Calibration calibration;
  ActivationScales scales;
};

QuantizeOptions but_the_classifier() {
  QuantizeOptions options;
  options.ignore = {"re:(classifier|head)$"};
  return options;
}

double error_of(const Tensor& exact, const Tensor& made) {
  return ((exact - made).square().mean() / exact.square().mean()).item<double>();
}

}  // namespace

TEST_CASE(
    "a vision tower's layers are planned, its patches stay in float unless they are asked for",
    "[quant][vit]") {
  QuantizeOptions options = but_the_classifier();
  const Tower tower("timm", options);
  CHECK(tower.plan.linears.size() == 2 * 4);
  CHECK(tower.plan.stages == std::vector<std::string>{"blocks.0", "blocks.1"});
  CHECK(tower.plan.ignored == std::vector<std::string>{"patch_embed.proj", "head"});
  options.config_groups.front().targets = {"Linear", "Conv2d"};
  const Tower whole("timm", options);
  CHECK(whole.plan.linears.size() == 1 + 2 * 4);
  CHECK(whole.plan.linears.front().ref.name == "patch_embed.proj");
  CHECK(whole.plan.stages == std::vector<std::string>{"patch_embed", "blocks.0", "blocks.1"});
}

TEST_CASE("a vision tower gives the same bits in integers and simulated", "[quant][vit]") {
  const torch::NoGradGuard no_grad;
  QuantizeOptions options = but_the_classifier();
  options.config_groups.front().targets = {"Linear", "Conv2d"};
  const std::string name = GENERATE("classifier", "timm");
  const Tower tower(name, options);
  const Tensor pixels = torch::randn({3, 3, 64, 64});
  QuantizedExecutor integer(tower.weights, torch::kFloat, tower.plan, tower.scales);
  QuantizedExecutor simulated(tower.weights, torch::kFloat, tower.plan, tower.scales,
                              Compute::kSimulate);
  modules::FloatExecutor exact(tower.weights, torch::kFloat);
  const Tensor made = tower.features(integer, pixels);
  CHECK(made.equal(tower.features(simulated, pixels)));
  const double error = error_of(tower.features(exact, pixels), made);
  CHECK(error > 0.0);
  CHECK(error < 1e-2);
}

TEST_CASE("smoothing leaves a vision tower's features as they are in float", "[quant][vit]") {
  const torch::NoGradGuard no_grad;
  QuantizeOptions options = but_the_classifier();
  options.smoothing = SmoothingOptions{.strength = 0.6};
  const std::string name = GENERATE("classifier", "timm");
  const Tower tower(name, options);
  CHECK(tower.plan.folds.size() == 2 * 3);
  const Tensor pixels = torch::randn({2, 3, 64, 64});
  modules::FloatExecutor exact(tower.weights, torch::kFloat);
  modules::FloatExecutor smooth(
      smoothed(tower.weights, tower.plan, tower.calibration.smoothing.factors), torch::kFloat);
  const Tensor plain = tower.features(exact, pixels);
  CHECK(largest_difference(plain, tower.features(smooth, pixels)) < 1e-3f);
}

TEST_CASE("corrections of a vision tower start as the identity and learn to come nearer",
          "[quant][vit]") {
  torch::manual_seed(8);
  QuantizeOptions options = but_the_classifier();
  const Tower tower("timm", options);
  modules::FloatExecutor reference(tower.weights, torch::kFloat);
  QuantizedExecutor quantized(tower.weights, torch::kFloat, tower.plan, tower.scales);
  modules::CorrectionOptions correction;
  correction.reduction = 8;
  const Corrections corrections(tower.plan.stages, tower.config.hidden_size, correction, 1);
  Corrected corrected(quantized, corrections);
  const modules::State start = Tower::state_of(torch::randn({8, 3, 64, 64}));
  const auto distance = [&] {
    const PairedForward paired =
        paired_forward(tower.network, start, reference, corrected, DistanceKind::kRelative);
    REQUIRE(paired.distances.size() == 2);
    return paired.distances[0].sum + paired.distances[1].sum;
  };
  std::vector<Tensor> parameters;
  for (const auto& [name, tensor] : corrections.parameters()) parameters.push_back(tensor);
  torch::optim::Adam optimizer(parameters, 1e-2);
  const double before = distance().item<double>();
  for (int step = 0; step < 20; ++step) {
    optimizer.zero_grad();
    distance().backward();
    optimizer.step();
  }
  CHECK(distance().item<double>() < 0.9 * before);
}
