#include "modules/encoders/conformer.h"

#include <torch/torch.h>

#include <algorithm>

#include "modules/weights/safetensors_store.h"
#include "quant/transform/transform.h"
#include "tests/quant/tower.h"
#include "tests/support/catch.h"

using namespace dualpath;
using namespace dualpath::quant;
using namespace dualpath::testing;
using torch::Tensor;

namespace {

/// A mask of so many real frames among `frames`.
Tensor mask_of(std::int64_t frames, std::vector<std::int64_t> lengths) {
  return at::arange(frames).lt(torch::tensor(lengths).unsqueeze(1));
}

/// A small Conformer of either kind, calibrated on noise of real frames.
Tower conformer_tower(const std::string& name, const QuantizeOptions& options,
                      float padding = 0.0f) {
  torch::manual_seed(9);
  const std::filesystem::path path = kReference / "conformer" / name;
  const auto config =
      modules::ConformerConfig::from_json(data::JsonObject::read(path / "config.json"));
  const auto weights = std::make_shared<modules::TiedWeights>(
      std::make_shared<modules::SafetensorsStore>(path), modules::conformer_aliases(config));
  const Tensor mask = mask_of(64, {40});
  const Tensor features = torch::randn({1, 64, config.num_mel_bins})
                              .masked_fill(mask.logical_not().unsqueeze(-1), padding);
  return {modules::make_conformer(config),
          modules::Modality::kAudio,
          weights,
          options,
          {stream_of(features, mask)}};
}

QuantizeOptions with_targets(std::vector<std::string> targets) {
  QuantizeOptions options;
  options.config_groups.front().targets = std::move(targets);
  options.ignore.clear();
  return options;
}

/// Quantizes all that can be: convolutions by name, too.
QuantizeOptions everything() {
  return with_targets({"Linear", "Conv2d", "re:.*(depthwise_conv|layers.2)$"});
}

bool holds(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

TEST_CASE("a Conformer's pointwise convolutions are linears, its depthwise ones stay in float",
          "[quant][conformer]") {
  const Tower tower = conformer_tower("parakeet", with_targets({"Linear"}));
  CHECK(tower.plan.linear("layers.0.conv.pointwise_conv1") != nullptr);
  CHECK(tower.plan.linear("layers.0.self_attn.relative_k_proj") != nullptr);
  CHECK(tower.plan.convs.empty());
  CHECK(holds(tower.plan.ignored, "layers.0.conv.depthwise_conv"));
  CHECK(holds(tower.plan.ignored, "subsampling.layers.0"));
  const Tower whole = conformer_tower("parakeet", everything());
  CHECK(whole.plan.convs.front().ref.name == "subsampling.layers.0");
  CHECK(whole.plan.convs.back().ref.name.ends_with("conv.depthwise_conv"));
  CHECK(whole.plan.ignored.empty());
}

TEST_CASE("a Conformer gives the same bits in integers and simulated", "[quant][conformer]") {
  const torch::NoGradGuard no_grad;
  const std::string name = GENERATE("parakeet", "torchaudio");
  INFO(name);
  const Tower tower = conformer_tower(
      name, name == "parakeet" ? everything() : with_targets({"Linear", "re:.*sequential.2$"}));
  const Tensor mask = mask_of(64, {64, 40});
  const std::int64_t bins = tower.network.tower_samples.at(modules::Modality::kAudio).input.size(2);
  const modules::Stream clips = stream_of(
      torch::randn({2, 64, bins}).masked_fill(mask.logical_not().unsqueeze(-1), 0.0), mask);
  check_integers(tower, clips, /*most_error=*/5e-2);
}

TEST_CASE("calibration of a Conformer does not see padding", "[quant][conformer]") {
  const Tower plain = conformer_tower("parakeet", everything());
  const Tower loud = conformer_tower("parakeet", everything(), /*padding=*/50.0f);
  REQUIRE(plain.calibration.ranges.size() > 10);
  for (const auto& [group, range] : plain.calibration.ranges) {
    INFO(group);
    const ObservedRange& other = loud.calibration.ranges.at(group);
    CHECK(range.min == other.min);
    CHECK(range.max == other.max);
    CHECK(range.count == other.count);
  }
}

TEST_CASE("smoothing leaves a Conformer's hidden states as they are in float",
          "[quant][conformer]") {
  const torch::NoGradGuard no_grad;
  const std::string name = GENERATE("parakeet", "torchaudio");
  INFO(name);
  QuantizeOptions options = with_targets({"Linear"});
  options.smoothing = SmoothingOptions{.strength = 0.6, .search = GENERATE(false, true)};
  const Tower tower = conformer_tower(name, options);
  CHECK(tower.plan.folds.size() % 5 == 0);
  REQUIRE(tower.plan.folds.size() >= 5);
  const Tensor mask = mask_of(64, {64, 40});
  const std::int64_t bins = tower.network.tower_samples.at(modules::Modality::kAudio).input.size(2);
  const modules::Stream clips = stream_of(
      torch::randn({2, 64, bins}).masked_fill(mask.logical_not().unsqueeze(-1), 0.0), mask);
  modules::FloatExecutor exact(tower.weights, torch::kFloat),
      smooth(transformed(tower.weights, tower.plan, tower.calibration.transforms), torch::kFloat);
  const auto& factors = tower.calibration.smoothing().factors;
  CHECK(std::ranges::any_of(factors, [](const auto& factor) {
    return !factor.second.equal(torch::ones_like(factor.second));
  }));
  CHECK(relative_error(tower.features(exact, clips), tower.features(smooth, clips)) < 1e-9);
}
