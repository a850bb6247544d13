#include "modules/model.h"

#include <set>

#include "data/base/error.h"
#include "tests/support/catch.h"
#include "tests/support/error_message.h"
#include "tests/support/model.h"
#include "tests/support/plain_file.h"
#include "tests/support/temporary_directory.h"

using namespace dualpath;
using namespace dualpath::modules;
using namespace dualpath::testing;

namespace {

/// A copy of a small model with other values in its config.json.
class EditedModel {
 public:
  EditedModel(const std::string& variant, const nlohmann::json& changes) {
    std::filesystem::copy(kReference / "tiny_llama" / variant, path());
    nlohmann::json config = data::read_json(path() / "config.json");
    config.update(changes);
    write_plain(path() / "config.json", config.dump());
  }
  std::filesystem::path path() const { return directory_ / "model"; }
  /// What open_model says, without the path.
  std::string mistake() const {
    const std::string message = error_message([&] { open_model(path()); });
    REQUIRE_THAT(message, Catch::StartsWith(path().string()));
    return message.substr(path().string().size());
  }

 private:
  TemporaryDirectory directory_;
};

}  // namespace

TEST_CASE("weights that the config names and the files lack are all listed", "[modules][model]") {
  const EditedModel model("tied", {{"num_hidden_layers", 4}});
  const std::string layer = "model.layers.3.";
  CHECK(model.mistake() == ": " + layer + "input_layernorm.weight is missing; " + layer +
                               "post_attention_layernorm.weight is missing; " + layer +
                               "self_attn.q_proj.weight is missing; " + layer +
                               "self_attn.k_proj.weight is missing; " + layer +
                               "self_attn.v_proj.weight is missing; " + layer +
                               "self_attn.o_proj.weight is missing; " + layer +
                               "mlp.gate_proj.weight is missing; " + layer +
                               "mlp.up_proj.weight is missing; and 1 more");
}

TEST_CASE("weights of another shape than the config says are all listed", "[modules][model]") {
  const EditedModel model("tied", {{"intermediate_size", 168}});
  CHECK_THAT(model.mistake(),
             Catch::StartsWith(": model.layers.0.mlp.gate_proj.weight: expected shape [168, 64], "
                               "got [160, 64]; ") &&
                 Catch::Contains("model.layers.0.mlp.down_proj.weight: expected shape [64, 168], "
                                 "got [64, 160]; ") &&
                 Catch::EndsWith("; and 1 more"));
}

TEST_CASE("a bias that the config asks for must be there", "[modules][model]") {
  const EditedModel model("tied", {{"mlp_bias", true}, {"num_hidden_layers", 1}});
  CHECK(model.mistake() ==
        ": model.layers.0.mlp.gate_proj.bias is missing; model.layers.0.mlp.up_proj.bias is "
        "missing; model.layers.0.mlp.down_proj.bias is missing");
}

TEST_CASE("a tokenizer that is larger than the model's vocabulary is refused", "[modules][model]") {
  const EditedModel model("tied", {{"vocab_size", 500}});
  CHECK(model.mistake() == ": the tokenizer has 512 tokens, the model's vocab_size is 500");
}

TEST_CASE("a mistake in config.json is found through open_model", "[modules][model]") {
  const EditedModel model("tied", {{"num_key_value_heads", 3}});
  CHECK_THAT(model.mistake(), Catch::StartsWith("/config.json: expected num_attention_heads"));
}

TEST_CASE("a path that is no model is an error with the full path", "[modules][model]") {
  const TemporaryDirectory directory;
  CHECK(error_message([&] { open_model(directory / "absent"); }) ==
        (directory / "absent").string() +
            ": no such model; expected a Hugging Face directory or a .gguf file");
  write_plain(directory / "weights.onnx", "?");
  CHECK(error_message([&] { open_model(directory / "weights.onnx"); }) ==
        (directory / "weights.onnx").string() +
            ": expected a Hugging Face directory or a .gguf file");
  write_plain(directory / "weights.bin", "?");
  CHECK_THAT(error_message([&] { open_model(directory / "weights.bin"); }),
             Catch::StartsWith((directory / "weights.bin").string() + ": is a pickle"));
}

TEST_CASE("an opened directory knows the files that an export copies", "[modules][model]") {
  const Model model = tiny_llama("untied_sharded");
  std::vector<std::string> names;
  for (const auto& file : model.companion_files) names.push_back(file.filename().string());
  CHECK(names == std::vector<std::string>{"generation_config.json", "tokenizer.json",
                                          "tokenizer_config.json"});
  CHECK(model.made_files.empty());
  CHECK_FALSE(model.is_quantized());
  CHECK(open_model(kReference / "int8_export/tied").is_quantized());
}

TEST_CASE("an opened model knows the files that its weights are read from", "[modules][model]") {
  const EditedModel single("tied", nlohmann::json::object());
  write_plain(single.path() / "consolidated.safetensors", "other weights, which nobody reads");
  CHECK(open_model(single.path()).weight_files == std::vector{single.path() / "model.safetensors"});

  const EditedModel sharded("untied_sharded", nlohmann::json::object());
  const nlohmann::json index = data::read_json(sharded.path() / "model.safetensors.index.json");
  std::set<std::filesystem::path> shards;
  for (const auto& [name, shard] : index["weight_map"].items())
    shards.insert(sharded.path() / shard.get<std::string>());
  CHECK(open_model(sharded.path()).weight_files == std::vector(shards.begin(), shards.end()));
  CHECK(open_model(kSmolLM2).weight_files == std::vector{kSmolLM2});
}

TEST_CASE("mapped weights are the file's own values in its own dtype", "[modules][model]") {
  const auto [variant, dtype] = GENERATE(table<std::string, at::ScalarType>(
      {{"tied", at::kFloat}, {"bfloat16", at::kBFloat16}, {"float16", at::kHalf}}));
  const Model model = tiny_llama(variant);
  const auto file = expected_tensors("tiny_llama/" + std::string(variant) + "/model.safetensors");
  CHECK(model.weights->names().size() == file.size());
  for (const auto& [name, values] : file) {
    CHECK(model.weights->info(name).dtype == dtype);
    CHECK(model.weights->get(name).equal(values));
  }
}

TEST_CASE("of a model in shards the file is named that holds a wrong or unlisted tensor",
          "[modules][model]") {
  const std::string k_proj = "model.layers.0.self_attn.k_proj.weight";
  const auto shard_of = [&](const EditedModel& model) {
    const nlohmann::json index = data::read_json(model.path() / "model.safetensors.index.json");
    return (model.path() / index["weight_map"][k_proj].get<std::string>()).string();
  };
  SECTION("of another shape") {
    const EditedModel model("untied_sharded", {{"num_key_value_heads", 2}});
    CHECK_THAT(model.mistake(), Catch::Contains(k_proj +
                                                ": expected shape [40, 72], got [20, 72] "
                                                "in " +
                                                shard_of(model)));
  }
  SECTION("not in the index") {
    const EditedModel model("untied_sharded", nlohmann::json::object());
    const std::string shard = shard_of(model);
    nlohmann::json index = data::read_json(model.path() / "model.safetensors.index.json");
    index["weight_map"].erase(k_proj);
    write_plain(model.path() / "model.safetensors.index.json", index.dump());
    CHECK(model.mistake() == ": " + k_proj + " is missing in the index, but in " + shard);
  }
}

TEST_CASE("config.json alone describes the tensors that transformers makes of it",
          "[modules][model]") {
  const std::filesystem::path directory = kReference / "glm4_9b";
  CHECK(holds_config_alone(directory));
  CHECK_FALSE(holds_config_alone(kReference / "tiny_llama/tied"));
  const WeightedNetwork model = open_config(directory);
  const nlohmann::json expected = data::read_json(directory / "parameters.json");
  CHECK(model.weights->names().size() == expected.size());
  for (const auto& [name, shape] : expected.items()) {
    const WeightInfo info = model.weights->info(name);
    CHECK(info.shape == shape.get<std::vector<std::int64_t>>());
    CHECK(info.dtype == at::kBFloat16);
  }
  // 40 layers of 203 948 032 in linears, 4 608 biases and 4 norms; two tables and the last norm.
  CHECK(parameter_count(*model.weights) ==
        40LL * (203'948'032 + 4'608 + 4 * 4'096) + 2LL * 151'552 * 4'096 + 4'096);
  CHECK_THAT(error_message([&] { model.weights->get("model.norm.weight"); }),
             Catch::EndsWith("holds no weights, so model.norm.weight has no values"));
  CHECK_THAT(error_message([&] { open_model(directory); }),
             Catch::Contains("holds config.json but no weights, and only plan does without"));
}

TEST_CASE("a config without weights is a float model's, of a dtype that we compute in",
          "[modules][model]") {
  const auto mistake = [](const nlohmann::json& changes) {
    const EditedModel model("tied", changes);
    std::filesystem::remove(model.path() / "model.safetensors");
    return error_message([&] { open_config(model.path()); });
  };
  CHECK(mistake(nlohmann::json::object()) == "(no Error was thrown)");
  CHECK_THAT(
      mistake({{"dtype", "float8_e4m3fn"}}),
      Catch::EndsWith("dtype: expected bfloat16, float16 or float32, got \"float8_e4m3fn\""));
  CHECK_THAT(mistake({{"quantization_config", nlohmann::json::object()}}),
             Catch::EndsWith("quantization_config: expected a float model's config.json"));
}
