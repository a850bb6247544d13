#include "modules/encoders/whisper.h"

#include <torch/torch.h>

#include "modules/correction/corrections.h"
#include "modules/weights/safetensors_store.h"
#include "quant/calibrate/calibration.h"
#include "quant/compare/paired_forward.h"
#include "quant/execute/quantized_executor.h"
#include "quant/transform/transform.h"
#include "tests/quant/tower.h"
#include "tests/support/catch.h"
#include "tests/support/model.h"
#include "tests/support/towers.h"

using namespace dualpath;
using namespace dualpath::quant;
using namespace dualpath::testing;
using torch::Tensor;

namespace {

QuantizeOptions whisper_options(std::vector<std::string> targets) {
  QuantizeOptions options;
  options.config_groups.front().targets = std::move(targets);
  options.ignore.clear();
  return options;
}

Tower whisper_tower(const std::filesystem::path& path, const QuantizeOptions& options,
                    const modules::Stream& sample) {
  const auto config =
      modules::WhisperConfig::from_json(data::JsonObject::read(path / "config.json"));
  return {modules::make_whisper(config),
          modules::Modality::kAudio,
          std::make_shared<modules::SafetensorsStore>(path),
          options,
          {sample}};
}

/// Two clips that noise fills up, behind the first `real` frames.
modules::Stream noisy_clips(std::int64_t real, float silence = 1.0f) {
  const Tensor mask = at::arange(200).lt(real).expand({2, 200});
  const Tensor noise = torch::randn({2, 200, 32});
  return stream_of(at::where(mask.unsqueeze(-1), noise, noise * silence), mask);
}

Tower tiny_whisper(const QuantizeOptions& options) {
  torch::manual_seed(11);
  return whisper_tower(kReference / "whisper/generation", options, noisy_clips(200));
}

}  // namespace

TEST_CASE(
    "a Whisper's layers are planned, its convolutions stay in float unless they are asked for",
    "[quant][whisper]") {
  const Tower tower = tiny_whisper(whisper_options({"Linear"}));
  CHECK(tower.plan.linears.size() == 2 * 6);
  CHECK(tower.plan.convs.empty());
  CHECK(tower.plan.ignored ==
        std::vector<std::string>{"model.encoder.conv1", "model.encoder.conv2"});
  CHECK(widths_of(tower.plan.stages) ==
        std::vector<std::string>{"model.encoder.layers.0: 48", "model.encoder.layers.1: 48"});
  const Tower whole = tiny_whisper(whisper_options({"Linear", "Conv1d"}));
  CHECK(whole.plan.convs.size() == 2);
  CHECK(whole.plan.ignored.empty());
}

TEST_CASE("a Whisper gives the same bits in integers and simulated", "[quant][whisper]") {
  const torch::NoGradGuard no_grad;
  const Tower tower = tiny_whisper(whisper_options({"Linear", "Conv1d"}));
  check_integers(tower, noisy_clips(61), /*most_error=*/5e-2);
}

TEST_CASE("smoothing leaves a Whisper's hidden states as they are in float", "[quant][whisper]") {
  const torch::NoGradGuard no_grad;
  QuantizeOptions options = whisper_options({"Linear"});
  options.smoothing = SmoothingOptions{.strength = 0.6};
  const Tower tower = tiny_whisper(options);
  CHECK(tower.plan.folds.size() == 2 * 3);
  const modules::Stream clips = noisy_clips(200);
  modules::FloatExecutor exact(tower.weights, torch::kFloat);
  modules::FloatExecutor smooth(
      transformed(tower.weights, tower.plan, tower.calibration.transforms), torch::kFloat);
  CHECK(largest_difference(tower.features(exact, clips), tower.features(smooth, clips)) < 1e-3f);
}

TEST_CASE("calibration of a Whisper sees the clip and not the silence behind it",
          "[quant][whisper]") {
  torch::manual_seed(12);
  const std::filesystem::path path = kReference / "whisper/encoder";
  const modules::Stream clips = noisy_clips(100);
  const Tower tower = whisper_tower(path, whisper_options({"Linear"}), clips);
  const ObservedRange& range = tower.calibration.ranges.at("layers.0.self_attn.q_proj.input");
  CHECK(range.count == 2 * 50);
  modules::Stream all = clips;
  all.mask = Tensor();
  const Tower whole = whisper_tower(path, whisper_options({"Linear"}), all);
  CHECK(whole.calibration.ranges.at("layers.0.self_attn.q_proj.input").count == 2 * 100);
}

TEST_CASE("corrections of a Whisper learn to come nearer at the clip's own positions",
          "[quant][whisper]") {
  torch::manual_seed(13);
  QuantizeOptions options = whisper_options({"Linear"});
  options.config_groups.front().weights.num_bits = 4;
  const Tower tower = tiny_whisper(options);
  modules::FloatExecutor reference(tower.weights, torch::kFloat);
  QuantizedExecutor quantized(tower.weights, torch::kFloat, tower.plan, tower.scales);
  modules::CorrectionOptions correction;
  correction.reduction = 8;
  const modules::Corrections corrections(tower.plan.stages, correction, 1);
  modules::Corrected corrected(quantized, corrections);
  const modules::State start = tower.state_of(noisy_clips(120));
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

TEST_CASE("Whisper tiny.en in static INT8 hears nearly what it heard in float",
          "[quant][whisper][towers]") {
  if (!has_towers("whisper.safetensors")) return;
  const torch::NoGradGuard no_grad;
  modules::NamedTensors expected = expected_tensors("towers/whisper.safetensors");
  const std::int64_t real = expected["clip"].numel() / 160;
  const modules::Stream clip =
      stream_of(expected["features"], at::arange(3000).lt(real).view({1, -1}));
  const Tower tower = whisper_tower(kWhisperTinyEn, whisper_options({"Linear"}), clip);
  QuantizedExecutor quantized(tower.weights, at::kFloat, tower.plan, tower.scales);
  const Tensor made = tower.features(quantized, clip).narrow(1, 0, real / 2);
  const double error = relative_error(expected["hidden"].narrow(1, 0, real / 2), made);
  INFO(error);
  CHECK(error > 0.0);
  CHECK(error < 2e-2);
}
