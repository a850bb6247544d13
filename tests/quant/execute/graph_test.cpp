#include "modules/execute/graph.h"

#include <torch/utils.h>

#include "modules/correction/corrections.h"
#include "modules/encoders/conformer.h"
#include "modules/encoders/vit.h"
#include "modules/encoders/whisper.h"
#include "modules/weights/safetensors_store.h"
#include "quant/calibrate/calibration.h"
#include "quant/execute/quantized_executor.h"
#include "quant/plan/planner.h"
#include "tests/quant/hand_made.h"
#include "tests/quant/tower.h"
#include "tests/support/catch.h"
#include "tests/support/glm4v.h"
#include "tests/support/graph.h"
#include "tests/support/model.h"

using namespace dualpath;
using namespace dualpath::quant;
using namespace dualpath::testing;
using modules::Modality;
using torch::Tensor;

namespace {

/// Calibrates on `starts` and checks the quantized path's replays of them, with corrections.
void check_quantized_replays(const modules::Network& network,
                             const std::shared_ptr<const modules::WeightStore>& weights,
                             const QuantizeOptions& options, at::ScalarType dtype,
                             const std::vector<modules::State>& starts) {
  const Plan plan = make_plan(modules::structure_of(network), options);
  const Calibration calibration = calibrate(network, weights, dtype, plan, starts, [] {});
  const ActivationScales scales = calibration.scales();
  QuantizedExecutor executor(weights, dtype, plan, scales);
  check_replays(network, executor, starts);
  const modules::Corrections corrections(plan.stages, {}, /*seed=*/1);
  for (const auto& [name, tensor] : corrections.parameters()) tensor.add_(0.01);
  modules::Corrected corrected(executor, corrections);
  check_replays(network, corrected, starts);
}

QuantizeOptions everything(ModalityScales scales = ModalityScales::kShared) {
  QuantizeOptions options;
  options.config_groups.front().targets = {"Linear", "Conv2d", "Conv3d"};
  options.ignore = {"re:.*lm_head"};
  options.modality_scales = scales;
  return options;
}

modules::State tower_state(Modality modality, const Tensor& input, const Tensor& mask = {}) {
  modules::State state;
  state.towers[modality] = stream_of(input, mask);
  return state;
}

}  // namespace

TEST_CASE("replayed stages of quantized decoders have the bits of the direct run",
          "[quant][graph]") {
  const torch::NoGradGuard no_grad;
  const std::string family = GENERATE("llama", "glm4");
  INFO(family);
  const modules::Model model = family == "llama" ? tiny_llama("tied") : tiny_family(family);
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16);
  QuantizeOptions options;
  options.ignore = {"re:.*lm_head"};
  check_quantized_replays(model.network, model.weights, options, dtype,
                          text_starts(model.config.vocab_size));
}

TEST_CASE("replayed stages of mixed schemes have the bits of the direct run", "[quant][graph]") {
  const torch::NoGradGuard no_grad;
  const modules::Model model = tiny_llama("tied");
  check_quantized_replays(model.network, model.weights, GENERATE(mixed_schemes(), torn_schemes()),
                          at::kFloat, text_starts(model.config.vocab_size));
}

TEST_CASE("replayed stages of a quantized vision transformer have the bits of the direct run",
          "[quant][graph]") {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(3);
  const std::filesystem::path path = kReference / "vit" / GENERATE("timm", "dinov2");
  INFO(path);
  const auto config = modules::VitConfig::from_json(data::JsonObject::read(path / "config.json"));
  QuantizeOptions options;
  options.config_groups.front().targets = {"Linear", "Conv2d"};
  options.ignore.clear();
  if (config.num_labels > 0) options.ignore = {"head"};
  const auto pixels = [] { return tower_state(Modality::kImage, torch::randn({2, 3, 64, 64})); };
  check_quantized_replays(modules::make_vit(config),
                          std::make_shared<modules::SafetensorsStore>(path), options, at::kFloat,
                          {pixels(), pixels()});
}

TEST_CASE("replayed stages of a quantized Conformer have the bits of the direct run",
          "[quant][graph]") {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(4);
  const std::string name = GENERATE("parakeet", "torchaudio");
  INFO(name);
  const std::filesystem::path path = kReference / "conformer" / name;
  const auto config =
      modules::ConformerConfig::from_json(data::JsonObject::read(path / "config.json"));
  const auto weights = std::make_shared<modules::TiedWeights>(
      std::make_shared<modules::SafetensorsStore>(path), modules::conformer_aliases(config));
  QuantizeOptions options;
  options.config_groups.front().targets =
      name == "parakeet"
          ? std::vector<std::string>{"Linear", "Conv2d", "re:.*(depthwise_conv|layers.2)$"}
          : std::vector<std::string>{"Linear", "re:.*sequential.2$"};
  options.ignore.clear();
  const auto clips = [&](std::int64_t first, std::int64_t second) {
    const Tensor mask = at::arange(48).lt(torch::tensor(std::vector{first, second}).unsqueeze(1));
    return tower_state(Modality::kAudio, torch::randn({2, 48, config.num_mel_bins}), mask);
  };
  check_quantized_replays(modules::make_conformer(config), weights, options, at::kFloat,
                          {clips(48, 48), clips(48, 29)});
}

TEST_CASE("replayed stages of a quantized Whisper have the bits of the direct run",
          "[quant][graph]") {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(6);
  const std::filesystem::path path = kReference / "whisper" / "model";
  const auto config =
      modules::WhisperConfig::from_json(data::JsonObject::read(path / "config.json"));
  QuantizeOptions options;
  options.config_groups.front().targets = {"Linear", "Conv1d"};
  options.ignore.clear();
  const auto clips = [](std::int64_t first, std::int64_t second) {
    const Tensor mask = at::arange(200).lt(torch::tensor(std::vector{first, second}).unsqueeze(1));
    return tower_state(Modality::kAudio, torch::randn({2, 200, 32}), mask);
  };
  check_quantized_replays(modules::make_whisper(config),
                          std::make_shared<modules::SafetensorsStore>(path), options, at::kFloat,
                          {clips(200, 200), clips(200, 29)});
}

TEST_CASE("replayed stages of a quantized Glm4v have the bits of the direct run",
          "[quant][graph]") {
  const torch::NoGradGuard no_grad;
  const modules::Model model = modules::open_model(kGlm4v / "tiny");
  modules::NamedTensors expected = expected_tensors("glm4v/tiny.safetensors");
  const modules::State first = glm4v_state(expected);
  check_quantized_replays(model.network, model.weights,
                          everything(GENERATE(ModalityScales::kShared, ModalityScales::kSeparate)),
                          at::kFloat, {first, other_glm4v_state(first)});
}
