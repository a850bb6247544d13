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
  const std::string name = GENERATE("huggingface", "classifier", "timm", "dinov2", "dinov2_gated");
  INFO(name);
  const Network network = make_vit(vit_config(name));
  const auto weights = std::make_shared<SafetensorsStore>(kVit / name);
  check_weights(structure_of(network), *weights, name);
  check_all_read(structure_of(network), *weights, name);
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
                    "config.json: model_type: expected vit or dinov2, got \"swin\"");
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
  CHECK_THROWS_WITH(parsed_vit(R"({"model_type": "dinov2",
                               "architectures": ["Dinov2ForImageClassification"]})"),
                    "config.json: architectures: expected Dinov2Model, got "
                    "\"Dinov2ForImageClassification\"");
  CHECK_THROWS_WITH(parsed_vit(R"({"model_type": "dinov2", "image_size": [224, 448]})"),
                    "config.json: image_size: expected a square, as Dinov2Model takes it, got "
                    "224x448");
}

TEST_CASE("DINOv2's SwiGLU is two thirds as wide as its MLP, rounded up to a multiple of 8",
          "[modules][vit]") {
  const auto width = [](const std::string& keys) {
    return parsed_vit(R"({"model_type": "dinov2", )" + keys + "}").intermediate_size;
  };
  CHECK(width(R"("hidden_size": 384, "num_attention_heads": 6)") == 1536);
  CHECK(width(R"("hidden_size": 1536, "num_attention_heads": 24, "use_swiglu_ffn": true)") == 4096);
  CHECK(width(R"("hidden_size": 48, "num_attention_heads": 3, "use_swiglu_ffn": true)") == 128);
}

TEST_CASE("LayerScale's factors in the linears before them are the same function",
          "[modules][vit]") {
  const torch::NoGradGuard no_grad;
  const VitConfig config = vit_config("dinov2");
  VitConfig folded_config = config;
  folded_config.layer_scale = false;
  const SafetensorsStore weights(kVit / "dinov2");
  NamedTensors folded;
  for (const std::string& name : weights.names()) folded[name] = weights.get(name);
  for (int i = 0; i < 2; ++i) {
    const std::string layer = "encoder.layer." + std::to_string(i);
    const auto fold = [&](const std::string& scale, const std::string& linear) {
      const at::Tensor factors = weights.get(layer + scale + ".lambda1");
      for (const char* end : {".weight", ".bias"}) {
        at::Tensor& tensor = folded[layer + linear + end];
        tensor = (tensor.t() * factors).t().contiguous();
      }
    };
    fold(".layer_scale1", ".attention.output.dense");
    fold(".layer_scale2", ".mlp.fc2");
  }
  FloatExecutor plain(std::make_shared<SafetensorsStore>(kVit / "dinov2"), at::kFloat),
      exact(std::make_shared<MemoryStore>(folded), at::kFloat);
  const at::Tensor pixels = expected_tensors("vit/dinov2.safetensors")["pixels"];
  CHECK(largest_difference(features_of(make_vit(config), plain, pixels),
                           features_of(make_vit(folded_config), exact, pixels)) < 1e-4f);
}

TEST_CASE("an image that patches do not divide is refused", "[modules][vit]") {
  FloatExecutor executor(std::make_shared<SafetensorsStore>(kVit / "timm"), at::kFloat);
  CHECK_THROWS_WITH(features_of(make_vit(vit_config("timm")), executor, at::zeros({1, 3, 64, 65})),
                    "an image of 64x65 pixels is not divided by patches of 16");
}
