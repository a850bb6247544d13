#include "modules/encoders/whisper.h"

#include <torch/utils.h>

#include "modules/execute/float_executor.h"
#include "modules/execute/structure.h"
#include "modules/weights/safetensors_store.h"
#include "tests/modules/greedy.h"
#include "tests/support/catch.h"
#include "tests/support/error_message.h"
#include "tests/support/model.h"

using namespace dualpath;
using namespace dualpath::modules;
using namespace dualpath::testing;

namespace {

const std::filesystem::path kWhisper = kReference / "whisper";

WhisperConfig whisper_config(const std::filesystem::path& directory) {
  return WhisperConfig::from_json(data::JsonObject::read(directory / "config.json"));
}

WhisperConfig parsed_whisper(const std::string& json) {
  return WhisperConfig::from_json(data::JsonObject::parse(json, "config.json"));
}

Stream heard(const std::string& name, at::ScalarType dtype, const at::Tensor& features,
             const at::Tensor& mask = {}) {
  FloatExecutor executor(std::make_shared<SafetensorsStore>(kWhisper / name), dtype);
  State state;
  state.towers[Modality::kAudio].input = features;
  state.towers[Modality::kAudio].mask = mask;
  run(make_whisper(whisper_config(kWhisper / name)), executor, state);
  return state.stream(Modality::kAudio);
}

}  // namespace

TEST_CASE("a Whisper's encoder has transformers' hidden states, whichever class saved it",
          "[modules][whisper]") {
  const torch::NoGradGuard no_grad;
  const std::string name = GENERATE("encoder", "model", "generation");
  INFO(name);
  const SafetensorsStore weights(kWhisper / name);
  const Structure structure = structure_of(make_whisper(whisper_config(kWhisper / name)));
  check_weights(structure, weights, name);
  check_all_read(structure, weights, name);
  NamedTensors expected = expected_tensors("whisper/" + name + ".safetensors");
  const Stream stream = heard(name, at::kFloat, expected["features"]);
  CHECK(stream.mask.equal(at::ones({2, 100}, at::kBool)));
  CHECK(largest_difference(stream.hidden, expected["hidden"]) <=
        logit_bound(expected["attention_difference"]));
}

TEST_CASE("half precision moves a Whisper's hidden states a little", "[modules][whisper]") {
  const torch::NoGradGuard no_grad;
  NamedTensors expected = expected_tensors("whisper/model.safetensors");
  const Stream stream = heard("model", at::kBFloat16, expected["features"]);
  REQUIRE(stream.hidden.scalar_type() == at::kBFloat16);
  const at::Tensor error = (stream.hidden.to(at::kFloat) - expected["hidden"]).square().mean();
  CHECK(error.item<float>() < 1e-3f * expected["hidden"].square().mean().item<float>());
}

TEST_CASE("a mask tells a Whisper's positions of silence without changing any",
          "[modules][whisper]") {
  const torch::NoGradGuard no_grad;
  const at::Tensor features = expected_tensors("whisper/encoder.safetensors")["features"];
  const at::Tensor mask = at::arange(200).lt(torch::tensor({{200}, {61}}));
  const Stream all = heard("encoder", at::kFloat, features),
               told = heard("encoder", at::kFloat, features, mask);
  CHECK(told.hidden.equal(all.hidden));
  CHECK(told.mask.sum(1).equal(torch::tensor({100, 31})));
}

TEST_CASE("a Whisper's structure counts its convolutions, and its decoder has no effect",
          "[modules][whisper]") {
  const Structure structure =
      structure_of(make_whisper(whisper_config(kWhisper / "generation"), "audio_tower."));
  CHECK(structure.convs.size() == 2);
  CHECK(structure.convs[1].ref.input_site() == "audio_tower.model.encoder.conv2.input");
  CHECK(structure.linears.size() == 2 * 4);
  CHECK(structure.linears[0].refs[1].name == "audio_tower.model.encoder.layers.0.self_attn.k_proj");
  CHECK(structure.folds.size() == 2 * 3);
  CHECK(structure.parts_without_effect ==
        std::vector<std::string>{"audio_tower.model.decoder.", "audio_tower.proj_out."});
  NamedTensors tensors;
  for (const NamedShape& tensor : tensors_of(structure))
    tensors[tensor.name] = at::zeros(tensor.shape);
  tensors["audio_tower.model.decoder.embed_tokens.weight"] = at::zeros({64, 48});
  CHECK(error_message([&] { check_all_read(structure, MemoryStore(tensors), "model"); }) ==
        "(no Error was thrown)");
  tensors["audio_tower.model.encoder.conv3.bias"] = at::zeros({48});
  CHECK(error_message([&] { check_all_read(structure, MemoryStore(tensors), "model"); }) ==
        "model: holds weights that its configuration has no place for: "
        "audio_tower.model.encoder.conv3.bias");
}

TEST_CASE("a Whisper makes half as many hidden states as there are frames, rounded up",
          "[modules][whisper]") {
  const Network network = make_whisper(whisper_config(kWhisper / "encoder"));
  const auto states = [&](std::int64_t frames) {
    Stream stream;
    stream.input = input_without_data({1, frames, 32});
    return hidden_states(network, Modality::kAudio, stream);
  };
  CHECK(states(200) == 100);
  CHECK(states(61) == 31);
  CHECK(states(1) == 1);
  CHECK(error_message([&] { states(201); }) == "audio clip: expected at most 200 frames, got 201");
}

TEST_CASE("a Whisper's config names what it cannot be", "[modules][whisper]") {
  CHECK_THROWS_WITH(parsed_whisper(R"({"model_type": "hubert"})"),
                    "config.json: model_type: expected whisper, got \"hubert\"");
  CHECK_THROWS_WITH(parsed_whisper(R"({"model_type": "whisper", "encoder_attention_heads": 7})"),
                    "config.json: a width of 384 is not divided by its 7 heads");
  CHECK_THROWS_WITH(parsed_whisper(R"({"model_type": "whisper", "num_hidden_layers": 6})"),
                    "config.json: num_hidden_layers: expected 4, got 6");
  CHECK_THROWS_WITH(parsed_whisper(R"({"model_type": "whisper",
                                       "architectures": ["WhisperForAudioClassification"]})"),
                    "config.json: architectures: expected WhisperEncoder, WhisperModel or "
                    "WhisperForConditionalGeneration, got \"WhisperForAudioClassification\"");
  CHECK(parsed_whisper(R"({"model_type": "whisper"})").max_frames() == 3000);
}
