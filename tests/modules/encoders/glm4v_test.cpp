#include <torch/torch.h>

#include <nlohmann/json.hpp>

#include "modules/execute/float_executor.h"
#include "modules/language/placeholders.h"
#include "tests/modules/greedy.h"
#include "tests/support/catch.h"
#include "tests/support/error_message.h"
#include "tests/support/glm4v.h"
#include "tests/support/model.h"

using namespace dualpath;
using namespace dualpath::modules;
using namespace dualpath::testing;
using torch::Tensor;

namespace {

Tensor logits_of(const Network& network, Executor& executor, State& state) {
  run(network, executor, state);
  return network.head.logits(executor, state.hidden);
}

}  // namespace

TEST_CASE("Glm4v has transformers' features, positions, logits and continuation",
          "[modules][glm4v]") {
  const torch::NoGradGuard no_grad;
  const Model model = open_model(kGlm4v / "tiny");
  NamedTensors expected = expected_tensors("glm4v/tiny.safetensors");
  const float bound = logit_bound(expected["attention_difference"]);
  FloatExecutor executor(model.weights, at::kFloat);
  State state = glm4v_state(expected, /*padding=*/GENERATE(0, 8));
  const Tensor mask = state.mask, logits = logits_of(model.network, executor, state);
  const Stream& images = state.stream(Modality::kImage);
  CHECK(largest_difference(images.hidden.index({images.mask}), expected["features"]) <= bound);
  CHECK((state.positions * mask).equal(expected["positions"]));
  CHECK(largest_difference(logits.index({mask}), expected["logits"].index({mask})) <= bound);

  State prompt = make_state(expected["prompt"].unsqueeze(0));
  prompt.towers[Modality::kImage] = pictures(expected, 0, 0);
  CHECK(continue_greedily(model.network, executor, prompt, 32).equal(expected["greedy"]));
}

TEST_CASE("a text's logits do not depend on the pictures of others", "[modules][glm4v]") {
  const torch::NoGradGuard no_grad;
  const Model model = open_model(kGlm4v / "tiny");
  NamedTensors expected = expected_tensors("glm4v/tiny.safetensors");
  FloatExecutor executor(model.weights, at::kFloat);
  State all = glm4v_state(expected);
  const Tensor together = logits_of(model.network, executor, all);
  State alone = make_state(expected["ids"].slice(0, 1, 2), all.mask.slice(0, 1, 2));
  alone.towers[Modality::kImage] = pictures(expected, 1, 2);
  const Tensor apart = logits_of(model.network, executor, alone);
  const Tensor mask = all.mask[1];
  CHECK(largest_difference(together[1].index({mask}), apart[0].index({mask})) < 1e-5f);
}

TEST_CASE("Glm4v without pictures is its decoder", "[modules][glm4v]") {
  const torch::NoGradGuard no_grad;
  const Model model = open_model(kGlm4v / "tiny");
  NamedTensors expected = expected_tensors("glm4v/tiny.safetensors");
  FloatExecutor executor(model.weights, at::kFloat);
  const Tensor ids = expected["ids"].slice(1, 0, 5);
  State state = make_state(ids);
  const Tensor logits = logits_of(model.network, executor, state);
  State three_rows = make_state(ids);
  three_rows.positions = three_rows.positions.expand({3, -1, -1});
  CHECK(logits.equal(logits_of(model.network, executor, three_rows)));
}

TEST_CASE("pictures that lie in no grid take plain positions", "[modules][glm4v]") {
  State state = make_state(torch::tensor({{1, 512, 512, 2}}, at::kLong));
  state.kinds = torch::tensor({{0, 1, 1, 0}}).to(at::kChar);
  state.towers[Modality::kImage].mask = at::ones({1, 2}, at::kBool);
  place_images(state);
  CHECK(state.positions.equal(at::arange(4).unsqueeze(0)));
  state.towers[Modality::kImage].grid = torch::tensor({{1, 2}}, at::kLong);
  place_images(state);
  CHECK(state.positions.select(1, 0).equal(
      torch::tensor({{0, 1, 1, 3}, {0, 1, 1, 3}, {0, 1, 2, 3}}, at::kLong)));
}

TEST_CASE("padding is no placeholder", "[modules][glm4v]") {
  State state = make_state(at::zeros({1, 3}, at::kLong), torch::tensor({{1, 1, 0}}).to(at::kBool));
  state.hidden = at::zeros({1, 3, 2});
  state.towers[Modality::kImage].hidden = at::ones({2, 1, 2});
  FloatExecutor executor(std::make_shared<MemoryStore>(NamedTensors{}), at::kFloat);
  fill(executor, {Modality::kImage, 0}, state);
  CHECK(state.hidden.sum().item<float>() == 4.0f);
  CHECK(state.hidden[0][2].sum().item<float>() == 0.0f);
}

TEST_CASE("placeholders that pictures do not fill are an error", "[modules][glm4v]") {
  const torch::NoGradGuard no_grad;
  const Model model = open_model(kGlm4v / "tiny");
  NamedTensors expected = expected_tensors("glm4v/tiny.safetensors");
  FloatExecutor executor(model.weights, at::kFloat);
  State state = glm4v_state(expected);
  state.towers[Modality::kImage] = pictures(expected, 0, 1);
  const std::int64_t wanted = (state.ids == 512).sum().item<std::int64_t>(),
                     made = expected["features"].size(0) - expected["patches.2"].size(0) / 4;
  CHECK(error_message([&] { run(model.network, executor, state); }) ==
        "the texts have " + std::to_string(wanted) + " image tokens (id 512), their images make " +
            std::to_string(made));
}

TEST_CASE("GLM-4.1V-9B's config.json alone has transformers' parameters", "[modules][glm4v]") {
  const WeightedNetwork model = open_config(kGlm4v / "9b");
  const nlohmann::json expected = data::read_json(kGlm4v / "9b" / "parameters.json");
  REQUIRE(model.weights->names().size() == expected.size());
  for (const auto& [name, shape] : expected.items()) {
    INFO(name);
    REQUIRE(model.weights->contains(name));
    CHECK(model.weights->info(name).shape == shape.get<std::vector<std::int64_t>>());
  }
}

TEST_CASE("Glm4v is tied where the whole says so or, as older files do, the decoder's part",
          "[modules][glm4v]") {
  const auto [whole, part] = GENERATE(table<bool, bool>({{false, true}, {true, false}}));
  nlohmann::json config = data::read_json(kGlm4v / "tiny" / "config.json");
  config["tie_word_embeddings"] = whole;
  config["text_config"]["tie_word_embeddings"] = part;
  CHECK(ModelConfig::from_json(data::JsonObject::parse(config.dump(), "config.json"))
            .tie_word_embeddings);
}

TEST_CASE("what is wrong in Glm4v's config.json is named", "[modules][glm4v]") {
  const auto message = [](const std::function<void(nlohmann::json&)>& change) {
    nlohmann::json config = data::read_json(kGlm4v / "tiny" / "config.json");
    change(config);
    return error_message(
        [&] { ModelConfig::from_json(data::JsonObject::parse(config.dump(), "config.json")); });
  };
  CHECK(message([](auto& c) { c["vision_config"]["out_hidden_size"] = 72; }) ==
        "config.json: vision_config: out_hidden_size: expected the decoder's hidden_size 64, got "
        "72");
  CHECK(message([](auto& c) { c["vision_config"]["num_heads"] = 8; }) ==
        "config.json: vision_config: expected heads of a multiple of 4 dimensions, which turn by "
        "row and column, got 6");
  CHECK(message([](auto& c) {
          c["text_config"]["rope_parameters"]["mrope_section"] = {1, 1, 1};
        }) ==
        "config.json: text_config: mrope_section: expected sections of 4 pairs in all, got 3");
  CHECK(message([](auto& c) { c["text_config"]["head_dim"] = 32; }) ==
        "config.json: text_config: head_dim: expected 16, got 32");
  CHECK(message([](auto& c) { c["vision_config"]["num_hidden_layers"] = 7; }) ==
        "config.json: vision_config: num_hidden_layers: expected 2, got 7");
  CHECK(message([](auto& c) {
          c["vision_config"]["rope_parameters"] = {{"rope_type", "yarn"}};
        }) ==
        "config.json: vision_config.rope_parameters: rope_type: expected \"axial\" or "
        "\"default\", got \"yarn\"");
  CHECK(message([](auto& c) { c.erase("vision_config"); }) ==
        "config.json: vision_config: expected an object, but the key is missing");
}
