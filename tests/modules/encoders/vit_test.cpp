#include "modules/encoders/vit.h"

#include <torch/utils.h>

#include "modules/execute/float_executor.h"
#include "modules/execute/structure.h"
#include "modules/model/described_weights.h"
#include "modules/weights/safetensors_store.h"
#include "tests/modules/greedy.h"
#include "tests/support/catch.h"
#include "tests/support/model.h"

using namespace dualpath;
using namespace dualpath::modules;
using namespace dualpath::testing;

namespace {

const std::filesystem::path kVit = kReference / "vit";

VitConfig vit_config(const std::string& name) {
  return VitConfig::from_json(data::JsonObject::read(kVit / name / "config.json"));
}

VitConfig parsed_vit(const std::string& json) {
  return VitConfig::from_json(data::JsonObject::parse(json, "config.json"));
}

at::Tensor features_of(const Network& network, Executor& executor, const at::Tensor& pixels) {
  State state;
  state.towers[Modality::kImage].input = pixels;
  run(network, executor, state);
  return state.stream(Modality::kImage).hidden;
}

}  // namespace

TEST_CASE("a vision transformer has transformers' and timm's features, at other sizes too",
          "[modules][vit]") {
  const torch::NoGradGuard no_grad;
  const std::string name = GENERATE("huggingface", "classifier", "timm");
  INFO(name);
  const Network network = make_vit(vit_config(name));
  const auto weights = std::make_shared<SafetensorsStore>(kVit / name);
  check_weights(structure_of(network), *weights, name);
  NamedTensors expected = expected_tensors("vit/" + name + ".safetensors");
  FloatExecutor executor(weights, at::kFloat);
  const float bound = logit_bound(expected["attention_difference"]);
  const at::Tensor features = features_of(network, executor, expected["pixels"]);
  CHECK(largest_difference(features, expected["features"]) <= bound);
  CHECK(largest_difference(features_of(network, executor, expected["other_pixels"]),
                           expected["other_features"]) <= bound);
  REQUIRE(network.head.exists() == expected.contains("logits"));
  if (!network.head.exists()) return;
  const at::Tensor logits = network.head.logits(executor, features.select(1, 0));
  CHECK(largest_difference(logits, expected["logits"]) <= bound);
}

TEST_CASE("half precision moves a vision transformer's features a little", "[modules][vit]") {
  const torch::NoGradGuard no_grad;
  const Network network = make_vit(vit_config("timm"));
  NamedTensors expected = expected_tensors("vit/timm.safetensors");
  FloatExecutor executor(std::make_shared<SafetensorsStore>(kVit / "timm"), at::kBFloat16);
  const at::Tensor features = features_of(network, executor, expected["pixels"]);
  REQUIRE(features.scalar_type() == at::kBFloat16);
  const at::Tensor error = (features.to(at::kFloat) - expected["features"]).square().mean();
  CHECK(error.item<float>() < 1e-3f * expected["features"].square().mean().item<float>());
}

TEST_CASE("ViT-B/16 is described by its config.json alone, with transformers' parameters",
          "[modules][vit]") {
  const VitConfig config = vit_config("vit_base");
  const Structure structure = structure_of(make_vit(config));
  const auto counted = data::JsonObject::read(kVit / "vit_base" / "parameters.json");
  const DescribedWeights weights(structure, {}, at::kFloat, "vit_base");
  CHECK(parameter_count(weights) == counted.integer("count"));
  CHECK(structure.linears.size() == 1 + 12 * 4);
  CHECK(structure.linears.front().refs.front().weight_shape() ==
        std::vector<std::int64_t>{768, 3, 16, 16});
  CHECK(structure.attentions.size() == 12);
}

TEST_CASE("a patch of a tower that has nothing to do is not asked for", "[modules][vit]") {
  const torch::NoGradGuard no_grad;
  FloatExecutor executor(std::make_shared<SafetensorsStore>(kVit / "timm"), at::kFloat);
  State state = make_state(at::zeros({1, 3}, at::kLong));
  run(make_vit(vit_config("timm")), executor, state);
  CHECK(state.towers.empty());
}

TEST_CASE("a vision transformer's config names what it cannot be", "[modules][vit]") {
  CHECK_THROWS_WITH(parsed_vit(R"({"model_type": "swin"})"),
                    "config.json: model_type: expected vit, got \"swin\"");
  CHECK_THROWS_WITH(parsed_vit(R"({"model_type": "vit", "num_attention_heads": 7})"),
                    "config.json: a width of 768 is not divided by its 7 heads");
  CHECK_THROWS_WITH(parsed_vit(R"({"model_type": "vit", "image_size": [224, 225]})"),
                    "config.json: an image of 224x225 is not divided by patches of 16");
  CHECK_THROWS_WITH(parsed_vit(R"({"architecture": "vit_base_patch16_224", "global_pool": "avg"})"),
                    "config.json: global_pool: expected \"token\", got \"avg\"");
  CHECK_THROWS_WITH(parsed_vit(R"({"model_type": "vit", "head_dim": 32})"),
                    "config.json: head_dim: expected 64, got 32");
  CHECK_THROWS_WITH(parsed_vit(R"({"architecture": "vit_base_patch16_224",
                               "model_args": {"qkv_bias": false}})"),
                    Catch::Matchers::Contains("model_args: qkv_bias: is not known here"));
  CHECK_THROWS_WITH(parsed_vit(R"({"architecture": "vit_base_patch16_224",
                               "model_args": {"global_pool": "avg"}})"),
                    "config.json: model_args: global_pool: expected \"token\", got \"avg\"");
  CHECK_THROWS_WITH(parsed_vit(R"({"architecture": "vit_base_patch16_clip_quickgelu_224"})"),
                    Catch::Matchers::Contains("architecture: expected vit_tiny_patch16"));
  CHECK_THROWS_WITH(parsed_vit(R"({"architecture": "resnet50"})"),
                    Catch::Matchers::Contains("architecture: expected vit_tiny_patch16"));
}

TEST_CASE("an image that patches do not divide is refused", "[modules][vit]") {
  FloatExecutor executor(std::make_shared<SafetensorsStore>(kVit / "timm"), at::kFloat);
  CHECK_THROWS_WITH(features_of(make_vit(vit_config("timm")), executor, at::zeros({1, 3, 64, 65})),
                    "an image of 64x65 pixels is not divided by patches of 16");
}
