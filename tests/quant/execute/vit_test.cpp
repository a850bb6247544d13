#include "modules/encoders/vit.h"

#include <torch/torch.h>

#include "modules/correction/corrections.h"
#include "modules/weights/safetensors_store.h"
#include "quant/calibrate/calibration.h"
#include "quant/compare/paired_forward.h"
#include "quant/execute/quantized_executor.h"
#include "quant/plan/planner.h"
#include "quant/stored/layout.h"
#include "quant/transform/transform.h"
#include "tests/quant/tower.h"
#include "tests/support/catch.h"
#include "tests/support/error_message.h"
#include "tests/support/model.h"

using namespace dualpath;
using namespace dualpath::quant;
using namespace dualpath::testing;
using torch::Tensor;

namespace {

/// A small vision transformer of either naming, calibrated on noise.
Tower vit_tower(const std::string& name, const QuantizeOptions& options) {
  torch::manual_seed(7);
  const std::filesystem::path path = kReference / "vit" / name;
  const auto config = modules::VitConfig::from_json(data::JsonObject::read(path / "config.json"));
  return {modules::make_vit(config),
          modules::Modality::kImage,
          std::make_shared<modules::SafetensorsStore>(path),
          options,
          {stream_of(torch::randn({1, 3, 64, 64})), stream_of(torch::randn({1, 3, 64, 64}))}};
}

QuantizeOptions but_the_classifier() {
  QuantizeOptions options;
  options.ignore = {"re:(classifier|head)$"};
  return options;
}

}  // namespace

TEST_CASE(
    "a vision tower's layers are planned, its patches stay in float unless they are asked for",
    "[quant][vit]") {
  QuantizeOptions options = but_the_classifier();
  const Tower tower = vit_tower("timm", options);
  CHECK(tower.plan.linears.size() == 2 * 4);
  CHECK(widths_of(tower.plan.stages) == std::vector<std::string>{"blocks.0: 48", "blocks.1: 48"});
  CHECK(tower.plan.ignored == std::vector<std::string>{"patch_embed.proj", "head"});
  options.config_groups.front().targets = {"Linear", "Conv2d"};
  const Tower whole = vit_tower("timm", options);
  CHECK(whole.plan.linears.size() == 1 + 2 * 4);
  CHECK(whole.plan.linears.front().ref.name == "patch_embed.proj");
  CHECK(widths_of(whole.plan.stages) == widths_of(tower.plan.stages));
}

TEST_CASE("attention that is not causal stays in float: a scheme for products must ignore it",
          "[quant][vit]") {
  QuantizeOptions options = but_the_classifier();
  options.kv_cache_scheme = kHeadInt8;
  const Tower cached = vit_tower("timm", options);
  CHECK(cached.plan.attentions.empty());
  const modules::Structure structure = modules::structure_of(cached.network);
  CHECK(cache_bytes_per_token(cached.plan, structure, torch::kFloat) == 0);
  options.attention_scheme = kHeadInt8;
  CHECK(error_message([&] { make_plan(structure, options); }) ==
        "quantize.attention_scheme: blocks.{0-1}.attn is not causal: its products stay in float; "
        "ignore it");
  options.ignore.push_back("re:blocks[.].*[.]attn$");
  const Plan plan = make_plan(structure, options);
  CHECK(plan.attentions.empty());
  CHECK(plan.linears.size() == cached.plan.linears.size());
}

TEST_CASE("a vision tower gives the same bits in integers and simulated", "[quant][vit]") {
  const torch::NoGradGuard no_grad;
  QuantizeOptions options = but_the_classifier();
  options.config_groups.front().targets = {"Linear", "Conv2d"};
  const std::string name = GENERATE("classifier", "timm");
  const Tower tower = vit_tower(name, options);
  const modules::Stream pixels = stream_of(torch::randn({3, 3, 64, 64}));
  check_integers(tower, pixels, /*most_error=*/1e-2);
}

TEST_CASE("smoothing leaves a vision tower's features as they are in float", "[quant][vit]") {
  const torch::NoGradGuard no_grad;
  QuantizeOptions options = but_the_classifier();
  options.smoothing = SmoothingOptions{.strength = 0.6};
  const std::string name = GENERATE("classifier", "timm");
  const Tower tower = vit_tower(name, options);
  CHECK(tower.plan.folds.size() == 2 * 3);
  const modules::Stream pixels = stream_of(torch::randn({2, 3, 64, 64}));
  modules::FloatExecutor exact(tower.weights, torch::kFloat);
  modules::FloatExecutor smooth(
      transformed(tower.weights, tower.plan, tower.calibration.transforms), torch::kFloat);
  const Tensor plain = tower.features(exact, pixels);
  CHECK(largest_difference(plain, tower.features(smooth, pixels)) < 1e-3f);
}

TEST_CASE("corrections of a vision tower start as the identity and learn to come nearer",
          "[quant][vit]") {
  torch::manual_seed(8);
  QuantizeOptions options = but_the_classifier();
  const Tower tower = vit_tower("timm", options);
  modules::FloatExecutor reference(tower.weights, torch::kFloat);
  QuantizedExecutor quantized(tower.weights, torch::kFloat, tower.plan, tower.scales);
  modules::CorrectionOptions correction;
  correction.reduction = 8;
  const modules::Corrections corrections(tower.plan.stages, correction, 1);
  modules::Corrected corrected(quantized, corrections);
  const modules::State start = tower.state_of(stream_of(torch::randn({8, 3, 64, 64})));
  const auto distance = [&] {
    const PairedForward paired =
        paired_forward(tower.network, start, reference, corrected, DistanceKind::kRelative);
    REQUIRE(paired.distances.size() == 2);
    return paired.distances[0].sum + paired.distances[1].sum;
  };
  std::vector<Tensor> parameters;
  for (const auto& [name, tensor] : corrections.parameters()) parameters.push_back(tensor);
  torch::optim::Adam optimizer(parameters, 1e-3);
  const double before = distance().item<double>();
  for (int step = 0; step < 30; ++step) {
    optimizer.zero_grad();
    distance().backward();
    optimizer.step();
  }
  CHECK(distance().item<double>() < 0.9 * before);
}
