#include "modules/decoder_config.h"

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "data/base/error.h"

namespace dualpath::modules {
namespace {

constexpr data::IntegerRange kSize{.low = 1, .high = std::int64_t{1} << 32};
constexpr data::IntegerRange kCount{.low = 1, .high = 1 << 16};

constexpr std::array<std::pair<const char*, Activation>, 5> kActivations{{
    {"silu", Activation::kSilu},
    {"gelu", Activation::kGelu},
    {"gelu_pytorch_tanh", Activation::kGeluTanh},
    {"gelu_new", Activation::kGeluTanh},
    {"relu", Activation::kRelu},
}};

Activation activation_named(const std::string& name, const std::string& where) {
  for (const auto& [known, activation] : kActivations) {
    if (name == known) return activation;
  }
  throw Error("{}: hidden_act: expected silu, gelu, gelu_pytorch_tanh or relu, got \"{}\"", where,
              name);
}

const char* name_of(Activation activation) {
  for (const auto& [name, known] : kActivations) {
    if (activation == known) return name;
  }
  return "";
}

/// transformers 5 keeps theta in rope_parameters, older files beside the sizes.
double rope_theta(const data::JsonObject& config) {
  const double beside = config.number_or("rope_theta", 10000.0, data::kPositiveNumber);
  const auto parameters = config.object_if("rope_parameters");
  return parameters ? parameters->number_or("rope_theta", beside, data::kPositiveNumber) : beside;
}

void require_plain_rotation(const data::JsonObject& config) {
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    const auto scaling = config.object_if(key);
    if (!scaling) continue;
    const std::string type = scaling->string_or("rope_type", scaling->string_or("type", "default"));
    if (type != "default") {
      throw Error("{}: rope_type: expected \"default\", got \"{}\"", scaling->where(), type);
    }
  }
}

const DecoderConfig& checked(const DecoderConfig& c, const std::string& where) {
  if (c.num_attention_heads % c.num_key_value_heads != 0) {
    throw Error(
        "{}: expected num_attention_heads to be a multiple of num_key_value_heads, got {} and {}",
        where, c.num_attention_heads, c.num_key_value_heads);
  }
  if (c.head_dim % 2 != 0)
    throw Error("{}: head_dim: expected an even number, got {}", where, c.head_dim);
  return c;
}

std::int64_t default_head_dim(const DecoderConfig& c, const std::string& where) {
  if (c.hidden_size % c.num_attention_heads != 0) {
    throw Error("{}: expected hidden_size to be a multiple of num_attention_heads, got {} and {}",
                where, c.hidden_size, c.num_attention_heads);
  }
  return c.hidden_size / c.num_attention_heads;
}

}  // namespace

DecoderConfig DecoderConfig::from_json(const data::JsonObject& config) {
  const std::string type = config.string("model_type");
  if (type != "llama")
    throw Error("{}: model_type: expected \"llama\", got \"{}\"", config.where(), type);
  require_plain_rotation(config);
  DecoderConfig c;
  c.vocab_size = config.integer("vocab_size", kSize);
  c.hidden_size = config.integer("hidden_size", kSize);
  c.intermediate_size = config.integer("intermediate_size", kSize);
  c.num_hidden_layers = config.integer("num_hidden_layers", kCount);
  c.num_attention_heads = config.integer("num_attention_heads", kCount);
  c.num_key_value_heads = config.integer_or("num_key_value_heads", c.num_attention_heads, kCount);
  c.head_dim = config.contains("head_dim") ? config.integer("head_dim", kCount)
                                           : default_head_dim(c, config.where());
  c.max_position_embeddings = config.integer_or("max_position_embeddings", 2048, kSize);
  c.rms_norm_eps = config.number_or("rms_norm_eps", 1e-6, data::kPositiveNumber);
  c.rotation = {.theta = rope_theta(config), .dim = c.head_dim};
  c.activation = activation_named(config.string_or("hidden_act", "silu"), config.where());
  c.tie_word_embeddings = config.boolean_or("tie_word_embeddings", false);
  c.attention_bias = config.boolean_or("attention_bias", false);
  c.mlp_bias = config.boolean_or("mlp_bias", false);
  return checked(c, config.where());
}

DecoderConfig DecoderConfig::from_gguf(const data::GgufReader& gguf) {
  const std::string where = gguf.file()->path().string();
  const auto architecture = gguf.require<std::string>("general.architecture");
  if (architecture != "llama") {
    throw Error("{}: general.architecture: expected \"llama\", got \"{}\"", where, architecture);
  }
  const auto size = [&](const char* key, data::IntegerRange range = kSize) {
    const auto value = gguf.require<std::int64_t>(key);
    if (value < range.low || value > range.high) {
      throw Error("{}: {}: expected an integer from {} to {}, got {}", where, key, range.low,
                  range.high, value);
    }
    return value;
  };
  const auto positive = [&](const char* key, double value) {
    if (!(value > 0.0) || !std::isfinite(value)) {
      throw Error("{}: {}: expected a positive number, got {}", where, key, value);
    }
    return value;
  };
  DecoderConfig c;
  c.hidden_size = size("llama.embedding_length");
  c.intermediate_size = size("llama.feed_forward_length");
  c.num_hidden_layers = size("llama.block_count", kCount);
  c.num_attention_heads = size("llama.attention.head_count", kCount);
  c.num_key_value_heads = size("llama.attention.head_count_kv", kCount);
  c.head_dim = default_head_dim(c, where);
  c.max_position_embeddings = size("llama.context_length");
  constexpr const char* kEps = "llama.attention.layer_norm_rms_epsilon";
  constexpr const char* kTheta = "llama.rope.freq_base";
  c.rms_norm_eps = positive(kEps, gguf.require<double>(kEps));
  c.rotation = {.theta = positive(kTheta, gguf.get_or<double>(kTheta, 10000.0)),
                .dim = gguf.get_or<std::int64_t>("llama.rope.dimension_count", c.head_dim)};
  if (c.rotation.dim != c.head_dim) {
    throw Error("{}: llama.rope.dimension_count: expected {}, got {}", where, c.head_dim,
                c.rotation.dim);
  }
  const data::GgufTensor& table = gguf.tensor("token_embd.weight");
  if (table.shape.size() != 2)
    throw Error("{}: tensor token_embd.weight: expected a matrix", where);
  c.vocab_size = table.shape.front();
  c.tie_word_embeddings = !gguf.contains_tensor("output.weight");
  return checked(c, where);
}

nlohmann::json DecoderConfig::to_json() const {
  return {
      {"architectures", {"LlamaForCausalLM"}},
      {"model_type", "llama"},
      {"vocab_size", vocab_size},
      {"hidden_size", hidden_size},
      {"intermediate_size", intermediate_size},
      {"num_hidden_layers", num_hidden_layers},
      {"num_attention_heads", num_attention_heads},
      {"num_key_value_heads", num_key_value_heads},
      {"head_dim", head_dim},
      {"max_position_embeddings", max_position_embeddings},
      {"rms_norm_eps", rms_norm_eps},
      {"rope_theta", rotation.theta},
      {"hidden_act", name_of(activation)},
      {"tie_word_embeddings", tie_word_embeddings},
      {"attention_bias", attention_bias},
      {"mlp_bias", mlp_bias},
  };
}

}  // namespace dualpath::modules
