#include <torch/torch.h>

#include <nlohmann/json.hpp>

#include "modules/execute/float_executor.h"
#include "modules/execute/gradient_checkpointing.h"
#include "modules/model/model_network.h"
#include "tests/modules/greedy.h"
#include "tests/support/catch.h"
#include "tests/support/error_message.h"
#include "tests/support/model.h"

using namespace dualpath;
using namespace dualpath::modules;
using namespace dualpath::testing;
using torch::Tensor;

namespace {

const std::filesystem::path kModel = kReference / "composition" / "model";

State masked_state(NamedTensors& expected) {
  State state = make_state(expected["ids"], expected["mask"].to(at::kBool));
  state.towers[Modality::kImage].input = expected["pixels"];
  state.towers[Modality::kAudio].input = expected["features"];
  state.towers[Modality::kAudio].mask = expected["features_mask"].to(at::kBool);
  return state;
}

Tensor real_logits(const Network& network, Executor& executor, State& state) {
  const Tensor mask = state.mask;
  run(network, executor, state);
  return network.head.logits(executor, state.hidden).index({mask});
}

}  // namespace

TEST_CASE("a model of our own composition is its parts, joined by alignment layers",
          "[modules][composition]") {
  const torch::NoGradGuard no_grad;
  const std::string name = GENERATE("model", "others");
  INFO(name);
  const Model model = open_model(kModel.parent_path() / name);
  NamedTensors expected = expected_tensors("composition/" + name + ".safetensors");
  const float bound = logit_bound(expected["attention_difference"]);
  FloatExecutor executor(model.weights, at::kFloat);
  State state = masked_state(expected);
  const Tensor mask = state.mask, logits = real_logits(model.network, executor, state);
  CHECK(largest_difference(state.stream(Modality::kImage).hidden, expected["aligned_images"]) <=
        bound);
  CHECK(largest_difference(state.stream(Modality::kAudio).hidden, expected["aligned_audio"]) <=
        bound);
  CHECK(largest_difference(logits, expected["logits"].index({mask})) <= bound);
  CHECK((state.kinds == static_cast<std::int64_t>(Modality::kImage)).sum().item<int>() == 8);
  CHECK((state.kinds == static_cast<std::int64_t>(Modality::kAudio)).sum().item<int>() == 6);
}

TEST_CASE("a Whisper's decoder in the file is left out of the weights", "[modules][composition]") {
  const Model model = open_model(kModel.parent_path() / "others");
  for (const std::string& name : model.weights->names()) {
    INFO(name);
    CHECK(name.find("decoder") == std::string::npos);
  }
  CHECK(!model.weights->contains("audio_tower.model.decoder.layer_norm.weight"));
  CHECK(model.weights->contains("audio_tower.model.encoder.layer_norm.weight"));
}

TEST_CASE("what lies in the padding of clips changes nothing", "[modules][composition]") {
  const torch::NoGradGuard no_grad;
  const Model model = open_model(kModel);
  NamedTensors expected = expected_tensors("composition/model.safetensors");
  FloatExecutor executor(model.weights, at::kFloat);
  State state = masked_state(expected), noisy = masked_state(expected);
  Stream& clips = noisy.towers[Modality::kAudio];
  clips.input = at::constant_pad_nd(clips.input, {0, 0, 0, 13}, 5.0);
  clips.mask = at::constant_pad_nd(clips.mask, {0, 13});
  clips.input = clips.input.masked_fill(clips.mask.logical_not().unsqueeze(-1), 3.0);
  CHECK(largest_difference(real_logits(model.network, executor, state),
                           real_logits(model.network, executor, noisy)) < 1e-5f);
}

TEST_CASE("gradients reach the towers through the placeholders, checkpointed or not",
          "[modules][composition]") {
  const Model model = open_model(kModel);
  NamedTensors expected = expected_tensors("composition/model.safetensors");
  const std::string name = "vision_tower.encoder.layer.0.intermediate.dense.weight";
  const auto gradient = [&](bool checkpointed) {
    const auto overlay = std::make_shared<WeightOverlay>(model.weights);
    const Tensor weight = model.weights->get(name).clone().requires_grad_();
    overlay->set(name, weight);
    FloatExecutor executor(overlay, at::kFloat);
    State state = masked_state(expected);
    const GradientCheckpointing checkpointing =
        checkpointed ? GradientCheckpointing({{name, weight}}) : GradientCheckpointing();
    checkpointing.run(model.network, executor, state);
    state.hidden.square().sum().backward();
    return weight.grad();
  };
  const Tensor kept = gradient(false);
  CHECK(kept.abs().max().item<float>() > 1e-3f);
  CHECK(kept.equal(gradient(true)));
}

TEST_CASE("what is wrong in a composition's config.json is named", "[modules][composition]") {
  const auto message = [](const std::function<void(nlohmann::json&)>& change) {
    nlohmann::json config = data::read_json(kModel / "config.json");
    change(config);
    return error_message(
        [&] { ModelConfig::from_json(data::JsonObject::parse(config.dump(), "config.json")); });
  };
  CHECK(message([](auto& c) { c.erase("vision_alignment"); }) ==
        "config.json: vision_alignment: expected an object, but the key is missing");
  CHECK(message([](auto& c) { c.erase("image_token_id"); }) ==
        "config.json: image_token_id: expected an integer in [0, 513], but the key is missing");
  CHECK(message([](auto& c) { c["audio_config"]["model_type"] = "hubert"; }) ==
        "config.json: audio_config: model_type: expected parakeet_encoder, conformer or whisper, "
        "got \"hubert\"");
  CHECK(
      message([](auto& c) { c = c["vision_config"]; }) ==
      "config.json: model_type: vit is an encoder's; expected a decoder's, or dualpath_multimodal "
      "with the encoder as its vision_config or audio_config");
  CHECK(message([](auto& c) { c["audio_token_id"] = 512; }) ==
        "config.json: image_token_id and audio_token_id are the same");
  CHECK(message([](auto& c) { c["audio_alignment"]["num_attention_heads"] = 7; }) ==
        "config.json: audio_alignment: a width of 64 is not divided by its 7 heads");
  CHECK(message([](auto& c) { c["audio_alignment"]["merge_sise"] = 2; }) ==
        "config.json: audio_alignment: merge_sise: is not known here; expected merge_size, "
        "intermediate_size, layer_norm_eps, num_queries, num_attention_heads");
  CHECK(message([](auto& c) { c["vision_aligment"] = c["vision_alignment"]; }) ==
        "config.json: vision_aligment: is not known here; expected text_config, "
        "tie_word_embeddings, vision_config, image_token_id, vision_alignment, audio_config, "
        "audio_token_id, audio_alignment");
  CHECK(message([](auto& c) { c["_comment"] = c["architectures"] = "a remark"; }) ==
        "(no Error was thrown)");
  CHECK(message([](auto& c) {
          c.erase("vision_config");
          c.erase("audio_config");
        }) == "config.json: expected vision_config or audio_config");
}

TEST_CASE("a grid that its alignment layer's squares do not divide is an error",
          "[modules][composition]") {
  const torch::NoGradGuard no_grad;
  const Model model = open_model(kModel);
  NamedTensors expected = expected_tensors("composition/model.safetensors");
  FloatExecutor executor(model.weights, at::kFloat);
  State state = masked_state(expected);
  state.towers[Modality::kImage].input = at::zeros({2, 3, 80, 64});
  CHECK(error_message([&] { run(model.network, executor, state); }) ==
        "an image of 5x4 patches is not divided by squares of 2x2");
}

TEST_CASE("a tower's tensor of another size than its config says is an error",
          "[modules][composition]") {
  NamedTensors tensors;
  const Model model = open_model(kModel);
  for (const std::string& name : model.weights->names()) tensors[name] = model.weights->get(name);
  tensors["vision_tower.layernorm.weight"] = at::ones({47});
  CHECK(error_message([&] {
          check_weights(
              model.structure,
              TiedWeights(std::make_shared<MemoryStore>(tensors), aliases_of(model.config)),
              "model");
        }) == "model: vision_tower.layernorm.weight: expected shape [48], got [47]");
}
