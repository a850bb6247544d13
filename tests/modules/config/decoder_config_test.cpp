#include "modules/config/decoder_config.h"

#include <map>
#include <nlohmann/json.hpp>
#include <set>
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

TEST_CASE("of two objects that describe the rotation the older key's counts, if it says anything",
          "[modules][config]") {
  json config = with("rope_parameters", {{"rope_type", "default"}, {"rope_theta", 700}});
  config["rope_scaling"] = json::object();
  CHECK(read(config).rotation.theta == 700.0);
  config["rope_scaling"] = {{"type", "default"}};
  CHECK(read(config).rotation.theta == 10000.0);
}

TEST_CASE("null key and value heads are as many as query heads, missing ones the family's default",
          "[modules][config]") {
  for (const std::string type : {"llama", "qwen2", "qwen3", "glm", "glm4"}) {
    INFO(type);
    json config = with("num_key_value_heads", nullptr);
    config["model_type"] = type;
    CHECK(read(config).num_key_value_heads == 4);
  }
  CHECK(error_message([&] { read(with("model_type", "qwen3")); }) ==
        "config.json: expected num_attention_heads to be a multiple of num_key_value_heads, got 4 "
        "and 32");
  json config = with("head_dim", nullptr);
  config.update({{"model_type", "qwen3"}, {"num_key_value_heads", 4}});
  CHECK(read(config).head_dim == 16);
}

TEST_CASE("keys that other families compute by are refused where they change something",
          "[modules][config]") {
  const auto [key, value] = GENERATE(table<std::string, json>({
      {"attention_multiplier", 0.0078125},
      {"attn_logit_softcapping", 50.0},
      {"num_experts", 8},
      {"no_rope_layers", json::array({1, 1, 0})},
      {"use_bidirectional_attention", true},
      {"per_layer_config", json{{"1", {{"num_key_value_heads", 2}}}}},
      {"transformers_weights", "other.safetensors"},
  }));
  CHECK(error_message([&, k = key, v = value] { read(with(k, v)); }) ==
        "config.json: " + key + ": is not supported in a model of this type, got " +
            (value.is_structured() ? std::string("an ") + value.type_name() : value.dump()));
}

TEST_CASE("keys that change nothing, and a vendor's own, are left alone", "[modules][config]") {
  json config = kLeast;
  config.update({{"attention_dropout", 0.1},
                 {"pretraining_tp", 2},
                 {"sliding_window", nullptr},
                 {"num_experts", 0},
                 {"logits_scaling", 1.0},
                 {"final_logit_softcapping", nullptr},
                 {"per_layer_config", json::object()},
                 {"is_causal", true},
                 {"unsloth_version", "2025.1"},
                 {"rope_scaling", {{"rope_type", "default"}, {"factor", nullptr}}}});
  CHECK_NOTHROW(read(config));
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
      {"rope_scaling", json{{"factor", 4.0}},
       "rope_scaling: factor: is not known here; expected rope_type, type, rope_theta, "
       "partial_rotary_factor, mrope_section, original_max_position_embeddings"},
      {"rope_parameters", json{{"full_attention", {{"rope_theta", 1e6}}}},
       "rope_parameters: full_attention: is not known here; expected rope_type, type, rope_theta, "
       "partial_rotary_factor, mrope_section, original_max_position_embeddings"},
      {"is_causal", false, "is_causal: expected true, got false"},
  }));
  CHECK(error_message([&, k = key, v = value] { read(with(k, v)); }) == "config.json: " + message);
}

namespace {

using namespace dualpath::data::testing;

/// A GGUF file of a Llama with three layers: 4 heads of 16 on 2, and tensors of one value each.
class GgufFile {
 public:
  GgufFile() {
    set("general.architecture", "llama");
    for (const auto& [key, value] : std::map<std::string, std::uint32_t>{
             {"embedding_length", 64},
             {"feed_forward_length", 160},
             {"block_count", 3},
             {"attention.head_count", 4},
             {"attention.head_count_kv", 2},
             {"context_length", 512},
         })
      set("llama." + key, value);
    set("llama.attention.layer_norm_rms_epsilon", 1e-5f);
  }

  GgufFile& set(const std::string& key, const std::string& value) {
    pairs_[key] = pair(key, /*string*/ 8, text(value));
    return *this;
  }
  GgufFile& set(const std::string& key, const char* value) { return set(key, std::string(value)); }
  GgufFile& set(const std::string& key, std::uint32_t value) {
    pairs_[key] = pair(key, /*uint32*/ 4, raw(value));
    return *this;
  }
  GgufFile& set(const std::string& key, float value) {
    pairs_[key] = pair(key, /*float32*/ 6, raw(value));
    return *this;
  }
  GgufFile& set(const std::string& key, bool value) {
    pairs_[key] = pair(key, /*bool*/ 7, raw<std::uint8_t>(value));
    return *this;
  }
  GgufFile& erase(const std::string& key) {
    pairs_.erase(key);
    return *this;
  }
  /// Adds biases in all layers.
  GgufFile& add_biases(const std::vector<std::string>& linears) {
    for (int layer = 0; layer < 3; ++layer) {
      for (const std::string& linear : linears)
        tensors_.insert("blk." + std::to_string(layer) + "." + linear + ".bias");
    }
    return *this;
  }
  GgufFile& remove(const std::string& tensor) {
    tensors_.erase(tensor);
    return *this;
  }

  DecoderConfig config() const {
    std::string bytes = header(tensors_.size(), pairs_.size());
    for (const auto& [key, bytes_of_pair] : pairs_) bytes += bytes_of_pair;
    std::uint64_t offset = 0;
    for (const std::string& name : tensors_) {
      bytes += tensor(name, {1, 1}, /*float32*/ 0, offset);
      offset += 32;
    }
    write_plain(path(), padded(bytes) + std::string(offset, '\0'));
    return DecoderConfig::from_gguf(data::GgufReader(path()));
  }
  /// The error of reading it, without the path.
  std::string mistake() const {
    const std::string message = error_message([&] { config(); });
    REQUIRE_THAT(message, Catch::StartsWith(path().string() + ": "));
    return message.substr(path().string().size() + 2);
  }

 private:
  std::filesystem::path path() const { return directory_ / "model.gguf"; }

  TemporaryDirectory directory_;
  std::map<std::string, std::string> pairs_;
  std::set<std::string> tensors_{"token_embd.weight"};
};

}  // namespace

TEST_CASE("GGUF metadata that cannot be is named", "[modules][config]") {
  CHECK(GgufFile().set("general.architecture", "qwen2").mistake() ==
        R"(general.architecture: expected "llama", got "qwen2")");
  CHECK(GgufFile().set("general.type", "adapter").mistake() ==
        R"(general.type: expected "model", got "adapter")");
  CHECK(GgufFile().set("split.count", 3u).mistake() ==
        "split.count: expected one file, got 3; llama-gguf-split --merge joins them");
  CHECK(GgufFile().set("llama.attention.head_count", 0u).mistake() ==
        "llama.attention.head_count: expected an integer from 1 to 65536, got 0");
  CHECK(GgufFile().set("llama.attention.head_count", 5u).mistake() ==
        "expected hidden_size to be a multiple of num_attention_heads, got 64 and 5");
  CHECK(GgufFile().set("llama.attention.head_count_kv", 3u).mistake() ==
        "expected num_attention_heads to be a multiple of num_key_value_heads, got 4 and 3");
}

TEST_CASE("a GGUF file may say a head's size, and need not say key and value heads",
          "[modules][config]") {
  CHECK(GgufFile().config().head_dim == 16);
  CHECK(GgufFile().config().num_key_value_heads == 2);
  CHECK(GgufFile().erase("llama.attention.head_count_kv").config().num_key_value_heads == 4);
  GgufFile wide;
  wide.set("llama.attention.key_length", 32u).set("llama.attention.value_length", 32u);
  CHECK(wide.config().head_dim == 32);
  CHECK(wide.config().rotation.dim == 32);
  CHECK(wide.set("llama.rope.dimension_count", 16u).mistake() ==
        "llama.rope.dimension_count: expected 32, got 16");
  wide.erase("llama.rope.dimension_count");
  CHECK(wide.set("llama.attention.value_length", 16u).mistake() ==
        "llama.attention.value_length: expected 32, got 16");
}

TEST_CASE("a key of GGUF's architecture that would change the result is refused",
          "[modules][config]") {
  CHECK(GgufFile().set("llama.attention.scale", 0.5f).mistake() ==
        "llama.attention.scale: is not supported, got 0.5");
  CHECK(GgufFile().set("llama.attn_logit_softcapping", 50.0f).mistake() ==
        "llama.attn_logit_softcapping: is not supported, got 50");
  CHECK(GgufFile().set("llama.expert_count", 8u).mistake() ==
        "llama.expert_count: expected 0, got 8");
  CHECK(GgufFile().set("llama.attention.sliding_window", 4096u).mistake() ==
        "llama.attention.sliding_window: expected 0, got 4096");
  CHECK(GgufFile().set("llama.attention.causal", false).mistake() ==
        "llama.attention.causal: expected true, got false");
  CHECK(GgufFile().set("llama.rope.scaling.type", "yarn").mistake() ==
        R"(llama.rope.scaling.type: expected "none", got "yarn")");
  CHECK(GgufFile().set("llama.rope.scaling.factor", 8.0f).mistake() ==
        "llama.rope.scaling.factor: expected 1, got 8");
}

TEST_CASE("keys of GGUF that say nothing new are left alone", "[modules][config]") {
  GgufFile file;
  file.set("llama.vocab_size", 1u)
      .set("llama.expert_count", 0u)
      .set("llama.attention.causal", true)
      .set("llama.rope.scaling.type", "none")
      .set("llama.rope.scaling.factor", 1.0f)
      .set("general.type", "model")
      .set("general.quantization_version", 2u)
      .set("quantize.imatrix.entries_count", 224u);
  CHECK_NOTHROW(file.config());
}

TEST_CASE("a GGUF file's biases are the config's", "[modules][config]") {
  const DecoderConfig none = GgufFile().config();
  CHECK_FALSE((none.qkv_bias || none.output_bias || none.mlp_bias));
  GgufFile file;
  file.add_biases({"attn_q", "attn_k", "attn_v"});
  CHECK(file.config().qkv_bias);
  CHECK(file.config().output_bias);  // they are zeros, see GgufStore
  file.add_biases({"attn_output", "ffn_gate", "ffn_up", "ffn_down"});
  CHECK(file.config().to_json()["attention_bias"] == true);
  CHECK(file.config().to_json()["mlp_bias"] == true);
  CHECK(file.remove("blk.1.ffn_up.bias").mistake() ==
        "tensor blk.2.ffn_down.bias: is there, but not blk.1.ffn_up.bias");
  CHECK_THAT(GgufFile().add_biases({"attn_output"}).mistake(),
             Catch::StartsWith("has biases of attn_output without those of attn_q"));
}
