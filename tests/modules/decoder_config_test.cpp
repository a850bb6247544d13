#include "modules/decoder_config.h"

#include <nlohmann/json.hpp>
#include <tuple>

#include "data/base/error.h"
#include "tests/data/formats/gguf_bytes.h"
#include "tests/support/catch.h"
#include "tests/support/error_message.h"
#include "tests/support/plain_file.h"
#include "tests/support/temporary_directory.h"

using namespace dualpath;
using namespace dualpath::modules;
using namespace dualpath::testing;
using nlohmann::json;

namespace {

DecoderConfig read(const json& config) {
  return DecoderConfig::from_json(data::JsonObject::parse(config.dump(), "config.json"));
}

/// The keys that have no default.
const json kLeast{{"model_type", "llama"},    {"vocab_size", 512},      {"hidden_size", 64},
                  {"intermediate_size", 160}, {"num_hidden_layers", 3}, {"num_attention_heads", 4}};

json with(const std::string& key, const json& value) {
  json config = kLeast;
  config[key] = value;
  return config;
}

}  // namespace

TEST_CASE("a config.json of the required keys alone gets Hugging Face's defaults",
          "[modules][config]") {
  const DecoderConfig c = read(kLeast);
  CHECK(c.num_key_value_heads == 4);
  CHECK(c.head_dim == 16);
  CHECK(c.rotation.dim == 16);
  CHECK(c.rotation.theta == 10000.0);
  CHECK(c.rms_norm_eps == 1e-6);
  CHECK(c.activation == Activation::kSilu);
  CHECK_FALSE(c.tie_word_embeddings);
  CHECK_FALSE(c.qkv_bias);
  CHECK_FALSE(c.output_bias);
  CHECK_FALSE(c.mlp_bias);
}

TEST_CASE("theta may stand beside the sizes or in rope_parameters", "[modules][config]") {
  CHECK(read(with("rope_theta", 500.0)).rotation.theta == 500.0);
  CHECK(read(with("rope_parameters", {{"rope_type", "default"}, {"rope_theta", 700}}))
            .rotation.theta == 700.0);
  CHECK(read(with("rope_scaling", nullptr)).rotation.theta == 10000.0);
}

TEST_CASE("the config.json that we write reads back the same", "[modules][config]") {
  json config = kLeast;
  config.update({{"num_key_value_heads", 2},
                 {"head_dim", 20},
                 {"hidden_act", "gelu_pytorch_tanh"},
                 {"rope_theta", 1234.5},
                 {"rms_norm_eps", 1e-5},
                 {"max_position_embeddings", 99},
                 {"tie_word_embeddings", true},
                 {"attention_bias", true},
                 {"mlp_bias", true}});
  const json written = read(config).to_json();
  for (const auto& [key, value] : config.items()) {
    INFO(key);
    CHECK(written[key] == value);
  }
  CHECK(read(written).to_json() == written);
}

TEST_CASE("a family's config.json of the required keys alone gets that family's defaults",
          "[modules][config]") {
  const DecoderConfig glm4 = read(with("model_type", "glm4"));
  CHECK(glm4.num_key_value_heads == 2);
  CHECK(glm4.head_dim == 128);
  CHECK(glm4.rotation.dim == 64);
  CHECK(glm4.rotation.interleaved);
  CHECK(glm4.rms_norm_eps == 1.5625e-7);
  CHECK(glm4.qkv_bias);
  CHECK_FALSE(glm4.output_bias);
  CHECK(glm4.fused_gate_up);
  CHECK(glm4.sandwich_norms);
  CHECK_FALSE(read(with("model_type", "glm")).sandwich_norms);

  json qwen = with("num_key_value_heads", 2);
  qwen["model_type"] = "qwen2";
  CHECK(read(qwen).qkv_bias);
  CHECK_FALSE(read(qwen).output_bias);
  CHECK(read(qwen).head_dim == 16);
  qwen["model_type"] = "qwen3";
  CHECK_FALSE(read(qwen).qkv_bias);
  CHECK(read(qwen).qk_norm);
  CHECK(read(qwen).head_dim == 128);
  CHECK(read(qwen).rotation.dim == 128);
}

TEST_CASE("the rotated share of a head may stand beside the sizes or in rope_parameters",
          "[modules][config]") {
  json glm4 = with("model_type", "glm4");
  glm4["partial_rotary_factor"] = 0.25;
  CHECK(read(glm4).rotation.dim == 32);
  glm4["rope_parameters"] = {{"rope_type", "default"}, {"partial_rotary_factor", 0.75}};
  CHECK(read(glm4).rotation.dim == 96);
  glm4["rope_parameters"]["partial_rotary_factor"] = 0.01;
  CHECK(error_message([&] { read(glm4); }) ==
        "config.json: partial_rotary_factor: expected pairs of dimensions to rotate, got 1 of "
        "head_dim 128");
}

TEST_CASE("Qwen's windows are refused where they are used", "[modules][config]") {
  json qwen = with("num_key_value_heads", 2);
  qwen.update({{"model_type", "qwen2"}, {"use_sliding_window", false}, {"sliding_window", 4096}});
  qwen["layer_types"] = {"full_attention", "full_attention", "full_attention"};
  CHECK_NOTHROW(read(qwen));
  qwen["layer_types"][1] = "sliding_attention";
  CHECK(error_message([&] { read(qwen); }) ==
        R"(config.json: layer_types: expected "full_attention", got "sliding_attention")");
  qwen["use_sliding_window"] = true;
  CHECK(error_message([&] { read(qwen); }) ==
        "config.json: use_sliding_window: expected false, got true");
}

TEST_CASE("a key that is missing from config.json is named", "[modules][config]") {
  for (const auto& [key, value] : kLeast.items()) {
    json config = kLeast;
    config.erase(key);
    CHECK_THAT(error_message([&] { read(config); }),
               Catch::StartsWith("config.json: " + key + ": ") &&
                   Catch::EndsWith("but the key is missing"));
  }
}

TEST_CASE("a key of config.json with a value that cannot be is named", "[modules][config]") {
  const auto [key, value, message] = GENERATE(table<std::string, json, std::string>({
      {"model_type", "glm4_moe",
       R"(model_type: expected llama, glm, glm4, glm4v_text, qwen2 or qwen3, got "glm4_moe")"},
      {"partial_rotary_factor", 0.5,
       "partial_rotary_factor: expected 1 in a model of type llama, got 0.5"},
      {"hidden_size", -64, "hidden_size: expected an integer in [1, 4294967296], got -64"},
      {"hidden_size", "64", R"(hidden_size: expected an integer in [1, 4294967296], got "64")"},
      {"vocab_size", 1e30, "vocab_size: expected an integer in [1, 4294967296], got 1e+30"},
      {"num_hidden_layers", 1000000,
       "num_hidden_layers: expected an integer in [1, 65536], got 1000000"},
      {"num_hidden_layers", 0, "num_hidden_layers: expected an integer in [1, 65536], got 0"},
      {"num_attention_heads", 5,
       "expected hidden_size to be a multiple of num_attention_heads, got 64 and 5"},
      {"num_key_value_heads", 3,
       "expected num_attention_heads to be a multiple of num_key_value_heads, got 4 and 3"},
      {"head_dim", 15, "head_dim: expected an even number, got 15"},
      {"rms_norm_eps", 0, "rms_norm_eps: expected a positive number, got 0"},
      {"rope_theta", -1.0, "rope_theta: expected a positive number, got -1.0"},
      {"hidden_act", "swish2",
       R"(hidden_act: expected silu, gelu, gelu_pytorch_tanh or relu, got "swish2")"},
      {"tie_word_embeddings", 1, "tie_word_embeddings: expected true or false, got 1"},
      {"rope_scaling", json{{"type", "linear"}, {"factor", 2.0}},
       R"(rope_scaling: rope_type: expected "default", got "linear")"},
      {"rope_parameters", json{{"rope_type", "yarn"}},
       R"(rope_parameters: rope_type: expected "default", got "yarn")"},
  }));
  CHECK(error_message([&, k = key, v = value] { read(with(k, v)); }) == "config.json: " + message);
}

TEST_CASE("GGUF metadata that cannot be is named", "[modules][config]") {
  using namespace dualpath::data::testing;
  constexpr std::uint32_t kU32 = 4, kF32Value = 6, kString = 8, kTypeF32 = 0;
  const auto file = [&](const std::string& architecture, std::uint32_t heads,
                        std::uint32_t key_value_heads) {
    const auto number = [&](const char* key, std::uint32_t value) {
      return pair(std::string("llama.") + key, kU32, raw<std::uint32_t>(value));
    };
    return padded(header(1, 8) + pair("general.architecture", kString, text(architecture)) +
                  number("embedding_length", 64) + number("feed_forward_length", 160) +
                  number("block_count", 3) + number("attention.head_count", heads) +
                  number("attention.head_count_kv", key_value_heads) +
                  number("context_length", 512) +
                  pair("llama.attention.layer_norm_rms_epsilon", kF32Value, raw(1e-5f)) +
                  tensor("token_embd.weight", {1, 1}, kTypeF32, 0)) +
           std::string(32, '\0');
  };
  const TemporaryDirectory directory;
  const auto message = [&](const std::string& bytes) {
    const auto path = directory / "model.gguf";
    write_plain(path, bytes);
    const data::GgufReader reader(path);
    const std::string full = error_message([&] { DecoderConfig::from_gguf(reader); });
    REQUIRE_THAT(full, Catch::StartsWith(path.string() + ": "));
    return full.substr(path.string().size() + 2);
  };
  CHECK(message(file("qwen2", 4, 2)) == R"(general.architecture: expected "llama", got "qwen2")");
  CHECK(message(file("llama", 0, 2)) ==
        "llama.attention.head_count: expected an integer from 1 to 65536, got 0");
  CHECK(message(file("llama", 5, 1)) ==
        "expected hidden_size to be a multiple of num_attention_heads, got 64 and 5");
  CHECK(message(file("llama", 4, 3)) ==
        "expected num_attention_heads to be a multiple of num_key_value_heads, got 4 and 3");
}
