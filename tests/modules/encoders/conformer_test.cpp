#include "modules/encoders/conformer.h"

#include <torch/utils.h>

#include "modules/execute/float_executor.h"
#include "modules/execute/structure.h"
#include "modules/layers/relative_positions.h"
#include "modules/weights/safetensors_store.h"
#include "tests/modules/greedy.h"
#include "tests/support/catch.h"
#include "tests/support/model.h"

using namespace dualpath;
using namespace dualpath::modules;
using namespace dualpath::testing;

namespace {

const std::filesystem::path kConformer = kReference / "conformer";

ConformerConfig config_of(const std::string& name) {
  return ConformerConfig::from_json(data::JsonObject::read(kConformer / name / "config.json"));
}

ConformerConfig parsed(const std::string& json) {
  return ConformerConfig::from_json(data::JsonObject::parse(json, "config.json"));
}

std::shared_ptr<const WeightStore> weights_of(const std::string& name) {
  return std::make_shared<TiedWeights>(std::make_shared<SafetensorsStore>(kConformer / name),
                                       conformer_aliases(config_of(name)));
}

Stream encoded(const std::string& name, at::ScalarType dtype, const at::Tensor& features,
               const at::Tensor& mask) {
  FloatExecutor executor(weights_of(name), dtype);
  State state;
  state.towers[Modality::kAudio].input = features.to(dtype);
  state.towers[Modality::kAudio].mask = mask;
  run(make_conformer(config_of(name)), executor, state);
  return state.stream(Modality::kAudio);
}

at::Tensor without_padding(const Stream& stream) {
  return stream.hidden.masked_fill(stream.mask.logical_not().unsqueeze(-1), 0.0);
}

}  // namespace

TEST_CASE("a Conformer has transformers' and torchaudio's hidden states", "[modules][conformer]") {
  const torch::NoGradGuard no_grad;
  const std::string name = GENERATE("parakeet", "parakeet_plain", "torchaudio", "torchaudio_first");
  INFO(name);
  check_weights(structure_of(make_conformer(config_of(name))), *weights_of(name), name);
  NamedTensors expected = expected_tensors("conformer/" + name + ".safetensors");
  const Stream stream = encoded(name, at::kFloat, expected["features"], expected["mask"]);
  CHECK(stream.mask.equal(expected["hidden_mask"]));
  CHECK(largest_difference(without_padding(stream), expected["hidden"]) <=
        logit_bound(expected["attention_difference"]));
}

TEST_CASE("a clip's hidden states do not depend on the batch or on what padding holds",
          "[modules][conformer]") {
  const torch::NoGradGuard no_grad;
  const std::string name = GENERATE("parakeet", "torchaudio");
  INFO(name);
  const at::Tensor given = expected_tensors("conformer/" + name + ".safetensors")["features"];
  const std::vector<std::int64_t> lengths{given.size(1), 33, 21};
  const at::Tensor mask = at::arange(given.size(1)).lt(torch::tensor(lengths).unsqueeze(1));
  const at::Tensor features = given.masked_fill(mask.logical_not().unsqueeze(-1), 7.0);
  const Stream batch = encoded(name, at::kFloat, features, mask);
  for (std::int64_t row = 0; row < 3; ++row) {
    const std::int64_t length = lengths[static_cast<std::size_t>(row)];
    const Stream alone =
        encoded(name, at::kFloat, features.narrow(0, row, 1).narrow(1, 0, length), {});
    const std::int64_t frames = alone.hidden.size(1);
    CHECK(batch.mask[row].sum().item<std::int64_t>() == frames);
    CHECK(largest_difference(batch.hidden[row].narrow(0, 0, frames), alone.hidden[0]) <= 1e-5f);
  }
}

TEST_CASE("half precision moves a Conformer's hidden states a little", "[modules][conformer]") {
  const torch::NoGradGuard no_grad;
  const std::string name = GENERATE("parakeet", "torchaudio");
  INFO(name);
  NamedTensors expected = expected_tensors("conformer/" + name + ".safetensors");
  const Stream stream = encoded(name, at::kBFloat16, expected["features"], expected["mask"]);
  REQUIRE(stream.hidden.scalar_type() == at::kBFloat16);
  const at::Tensor error =
      (without_padding(stream).to(at::kFloat) - expected["hidden"]).square().mean();
  CHECK(error.item<float>() < 1e-3f * expected["hidden"].square().mean().item<float>());
}

TEST_CASE("scores by distance become scores by key", "[modules][conformer]") {
  // Two queries have the distances 1, 0, -1.
  const at::Tensor scores = torch::tensor({{1, 2, 3}, {4, 5, 6}}).view({1, 1, 2, 3});
  FloatExecutor executor(weights_of("parakeet"), at::kFloat);
  CHECK(by_key(executor, scores).view({2, 2}).equal(torch::tensor({{2, 3}, {4, 5}})));
}

TEST_CASE("a Conformer's structure lists its sites under the checkpoint's names",
          "[modules][conformer]") {
  const Structure structure = structure_of(make_conformer(config_of("parakeet"), "encoder."));
  // subsampling: pointwise and linear; a layer: 2 x 2, q k v, relative k, o, 2 pointwise.
  CHECK(structure.linears.size() == 2 + 3 * 9);
  CHECK(structure.convs.size() == 2 + 3);
  CHECK(structure.attentions.size() == 3);
  CHECK(structure.attentions[0].ref.name == "encoder.layers.0.self_attn");
  CHECK(structure.convs[2].ref.input_site() == "encoder.layers.0.conv.depthwise_conv.input");
  CHECK(structure.parameters[0].name == "encoder.layers.0.self_attn.bias_v");
  CHECK(structure.linears[0].refs[0].weight_shape() == std::vector<std::int64_t>{16, 16, 1, 1});
}

TEST_CASE("a Conformer's config names what it cannot be", "[modules][conformer]") {
  CHECK_THROWS_WITH(
      parsed(R"({"model_type": "whisper"})"),
      "config.json: model_type: expected parakeet_encoder or conformer, got \"whisper\"");
  CHECK_THROWS_WITH(parsed(R"({"model_type": "conformer", "use_group_norm": true})"),
                    "config.json: use_group_norm: expected false, got true");
  CHECK_THROWS_WITH(parsed(R"({"model_type": "parakeet_encoder", "subsampling_factor": 6})"),
                    "config.json: subsampling_factor: expected a power of 2, got 6");
  CHECK_THROWS_WITH(parsed(R"({"model_type": "parakeet_encoder", "num_attention_heads": 7})"),
                    "config.json: a width of 1024 is not divided by its 7 heads");
  CHECK_THROWS_WITH(parsed(R"({"model_type": "conformer", "num_head": 4})"),
                    "config.json: num_head: is not known here; expected input_dim, num_heads, "
                    "ffn_dim, num_layers, depthwise_conv_kernel_size, dropout, use_group_norm, "
                    "convolution_first");
  CHECK_THROWS_WITH(parsed(R"({"model_type": "parakeet_encoder", "num_key_value_heads": 2})"),
                    "config.json: num_key_value_heads: expected 8, got 2");
  CHECK_THROWS_WITH(parsed(R"({"model_type": "parakeet_encoder", "conv_kernel_size": 8})"),
                    "config.json: expected a convolution over an odd number of frames, got 8");
}
