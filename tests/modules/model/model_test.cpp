#include "modules/model/model.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <functional>
#include <optional>
#include <set>

#include "data/base/error.h"
#include "data/files/file.h"
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
  /// The error of open_model, without the path.
  std::string mistake() const {
    const std::string message = error_message([&] { open_model(path()); });
    REQUIRE_THAT(message, Catch::StartsWith(path().string()));
    return message.substr(path().string().size());
  }

 private:
  TemporaryDirectory directory_;
};

/// The text that an action writes to stderr.
std::string standard_error_of(const std::function<void()>& action) {
  const TemporaryDirectory directory;
  const auto path = directory / "stderr";
  std::fflush(stderr);
  const int kept = ::dup(STDERR_FILENO);
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT, 0600);
  ::dup2(file, STDERR_FILENO);
  action();
  std::fflush(stderr);
  ::dup2(kept, STDERR_FILENO);
  ::close(kept);
  ::close(file);
  return read_file(path);
}

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
  const EditedModel model("tied", {{"mlp_bias", true}});
  CHECK_THAT(model.mistake(), Catch::StartsWith(": model.layers.0.mlp.gate_proj.bias is missing; "
                                                "model.layers.0.mlp.up_proj.bias is missing; "
                                                "model.layers.0.mlp.down_proj.bias is missing; ") &&
                                  Catch::EndsWith("; and 1 more"));
}

TEST_CASE("weights that the config does not ask for are named", "[modules][model]") {
  const std::string others = ": holds weights that its configuration has no place for: ";
  CHECK_THAT(EditedModel("tied", {{"num_hidden_layers", 2}}).mistake(),
             Catch::StartsWith(others + "model.layers.2.input_layernorm.weight; ") &&
                 Catch::EndsWith("; and 5 more"));
  CHECK_THAT(EditedModel("untied_sharded", {{"attention_bias", false}}).mistake(),
             Catch::StartsWith(others + "model.layers.0.self_attn.k_proj.bias; "));
}

TEST_CASE("a head that the file has beside a tied table is used, if it is another one",
          "[modules][model][tied]") {
  const std::string head = "lm_head.weight", table = "model.embed_tokens.weight";
  const EditedModel model("tied", nlohmann::json::object());
  const auto path = model.path() / "model.safetensors";
  NamedTensors tensors = read_tensors(data::SafetensorsReader(path));
  const at::Tensor embedded = tensors.at(table).clone();

  tensors[head] = embedded.to(at::kDouble);  // has the same values
  write_tensors(path, tensors);
  {
    std::optional<Model> tied;
    CHECK(standard_error_of([&] { tied.emplace(open_model(model.path())); }).empty());
    CHECK(tied->config.tie_word_embeddings);
    CHECK(tied->weights->canonical(head) == table);
  }
  tensors[head] = embedded + 1.0f;
  write_tensors(path, tensors);
  {
    std::optional<Model> untied;
    CHECK(standard_error_of([&] { untied.emplace(open_model(model.path())); }) ==
          "dualpath: " + model.path().string() +
              ": tie_word_embeddings is true, but lm_head.weight and model.embed_tokens.weight "
              "differ; both are used, as in transformers\n");
    CHECK_FALSE(untied->config.tie_word_embeddings);
    CHECK(untied->config_json["tie_word_embeddings"] == false);
    CHECK(untied->weights->get(head).equal(embedded + 1.0f));
    CHECK(untied->weights->get(table).equal(embedded));
  }
  tensors.erase(table);
  write_tensors(path, tensors);
  const Model alone = open_model(model.path());
  CHECK(alone.config_json["tie_word_embeddings"] == true);
  CHECK(alone.weights->get(table).equal(embedded + 1.0f));
  CHECK(alone.weights->get(head).equal(embedded + 1.0f));
  CHECK(parameter_count(*alone.weights) == parameter_count(*tiny_llama("tied").weights));
}

TEST_CASE("of quantized models only our exports are opened", "[modules][model]") {
  const auto block = [](const nlohmann::json& value) {
    return nlohmann::json{{"quantization_config", value}};
  };
  const EditedModel none("tied", block(nullptr));
  CHECK_FALSE(open_model(none.path()).is_quantized());
  const auto said = [](const std::string& method) {
    return "quantization_config: quantized already, by " + method + "; the float model is needed";
  };
  // The weights are float, but nobody gets as far as to look.
  CHECK_THAT(EditedModel("tied", block({{"quant_method", "gptq"}, {"bits", 4}})).mistake(),
             Catch::Contains(said("gptq")));
  CHECK_THAT(EditedModel("tied", block({{"load_in_4bit", true}})).mistake(),
             Catch::Contains(said("another tool")));
  CHECK_THAT(EditedModel("tied", {{"text_config", block({{"quant_method", "fp8"}})}}).mistake(),
             Catch::Contains("text_config." + said("fp8")));
  const EditedModel other("tied", block({{"quant_method", "compressed-tensors"}}));
  CHECK_THAT(other.mistake(), Catch::Contains(said("compressed-tensors")));
  std::filesystem::remove(other.path() / "model.safetensors");
  CHECK_THAT(other.mistake(), Catch::Contains(said("compressed-tensors")));
  CHECK_THAT(error_message([&] { open_config(other.path()); }),
             Catch::Contains(said("compressed-tensors")));
}

TEST_CASE("a LoRA adapter beside a model is not passed over", "[modules][model]") {
  const EditedModel model("tied", nlohmann::json::object());
  write_plain(model.path() / "adapter_config.json", "{}");
  CHECK_THAT(model.mistake(), Catch::StartsWith("/adapter_config.json: is a LoRA adapter's"));
}

TEST_CASE("files of a model may be links", "[modules][model]") {
  const TemporaryDirectory directory;
  for (const auto& entry :
       std::filesystem::directory_iterator(kReference / "tiny_llama/untied_sharded"))
    std::filesystem::create_symlink(std::filesystem::absolute(entry.path()),
                                    directory / entry.path().filename().string());
  const Model linked = open_model(directory.path()), plain = tiny_llama("untied_sharded");
  CHECK(linked.weights->names() == plain.weights->names());
  CHECK(linked.companion_files.size() == plain.companion_files.size());
}

TEST_CASE("a link to nothing is an error where a model's file is read", "[modules][model]") {
  const EditedModel model("tied", nlohmann::json::object());
  const std::size_t companions = open_model(model.path()).companion_files.size();
  std::filesystem::create_symlink("me@host.123:1", model.path() / ".#config.json");
  std::filesystem::create_symlink("README.md", model.path() / "README.md");  // a link to itself
  CHECK(open_model(model.path()).companion_files.size() == companions);
  for (const char* name : {"chat_template.jinja", "special_tokens_map.json"}) {
    const std::filesystem::path file = model.path() / name;
    std::filesystem::create_symlink("nowhere", file);
    CHECK(model.mistake() == fmt::format("/{}: is a link to nowhere, which does not exist", name));
    std::filesystem::remove(file);
  }
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

TEST_CASE("of a model in shards the file is named that holds a wrong tensor", "[modules][model]") {
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
  SECTION("not in the index, which only says what files there are") {
    const EditedModel model("untied_sharded", nlohmann::json::object());
    nlohmann::json index = data::read_json(model.path() / "model.safetensors.index.json");
    index["weight_map"].erase(k_proj);
    write_plain(model.path() / "model.safetensors.index.json", index.dump());
    CHECK(open_model(model.path()).weights->contains(k_proj));
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
  // 40 layers have 203 948 032 in linears, 4 608 biases and 4 norms; add two tables and the last
  // norm.
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
             Catch::Contains("quantization_config: quantized already, by another tool"));
}
