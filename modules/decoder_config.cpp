#include "modules/decoder_config.h"

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "data/base/error.h"

namespace dualpath::modules {
namespace {

constexpr data::IntegerRange kSize{.low = 1, .high = std::int64_t{1} << 32};
constexpr data::IntegerRange kCount{.low = 1, .high = 1 << 16};

/// Where a rotation is described besides the sizes; in a file of transformers 5, all of it.
constexpr std::array kRotationKeys{"rope_scaling", "rope_parameters"};

double rope_number(const data::JsonObject& config, const char* key, double fallback,
                   data::NumberRange range) {
  double value = config.number_or(key, fallback, range);
  for (const char* place : kRotationKeys) {
    if (const auto rotation = config.object_if(place))
      value = rotation->number_or(key, value, range);
  }
  return value;
}

void require_plain_rotation(const data::JsonObject& config) {
  for (const char* key : kRotationKeys) {
    const auto scaling = config.object_if(key);
    if (!scaling) continue;
    const std::string type = scaling->string_or("rope_type", scaling->string_or("type", "default"));
    if (type != "default") {
      throw Error("{}: rope_type: expected \"default\", got \"{}\"", scaling->where(), type);
    }
  }
}

void require_full_attention(const data::JsonObject& config) {
  if (config.boolean_or("use_sliding_window", false))
    throw Error("{}: use_sliding_window: expected false, got true", config.where());
  if (!config.contains("layer_types")) return;
  for (const std::string& type : config.strings("layer_types")) {
    if (type != "full_attention") {
      throw Error("{}: layer_types: expected \"full_attention\", got \"{}\"", config.where(), type);
    }
  }
}

void read_llama(const data::JsonObject& config, DecoderConfig& c) {
  c.qkv_bias = c.output_bias = config.boolean_or("attention_bias", false);
  c.mlp_bias = config.boolean_or("mlp_bias", false);
}

void read_glm(const data::JsonObject& config, DecoderConfig& c) {
  c.qkv_bias = config.boolean_or("attention_bias", true);
  c.rotation.interleaved = true;
  c.fused_gate_up = true;
}

void read_glm4(const data::JsonObject& config, DecoderConfig& c) {
  read_glm(config, c);
  c.sandwich_norms = true;
}

void read_glm4v(const data::JsonObject& config, DecoderConfig& c) {
  c.qkv_bias = true;
  c.rotation.interleaved = true;
  c.fused_gate_up = c.sandwich_norms = true;
  c.rotation.sections = {8, 12, 12};
  for (const char* place : kRotationKeys) {
    const auto rotation = config.object_if(place);
    if (rotation && rotation->contains("mrope_section"))
      c.rotation.sections = rotation->integers("mrope_section", kCount);
  }
  const std::int64_t pairs =
      std::accumulate(c.rotation.sections.begin(), c.rotation.sections.end(), std::int64_t{0});
  if (2 * pairs != c.rotation.dim) {
    throw Error("{}: mrope_section: expected sections of {} pairs in all, got {}", config.where(),
                c.rotation.dim / 2, pairs);
  }
}

void read_qwen2(const data::JsonObject&, DecoderConfig& c) { c.qkv_bias = true; }

void read_qwen3(const data::JsonObject& config, DecoderConfig& c) {
  c.qkv_bias = c.output_bias = config.boolean_or("attention_bias", false);
  c.qk_norm = true;
}

/// What transformers takes for a model_type where config.json is silent, and, by read, what it
/// computes there that others do not.
struct Family {
  const char* model_type;
  std::int64_t num_key_value_heads;  // 0: as many as there are query heads
  std::int64_t head_dim;             // 0: hidden_size / num_attention_heads
  std::int64_t max_position_embeddings;
  double rms_norm_eps;
  double rotated_share;  // of a head's dimensions
  bool heeds_share;      // whether config.json may name another one
  void (*read)(const data::JsonObject&, DecoderConfig&);
};

constexpr std::array<Family, 6> kFamilies{{
    {"llama", 0, 0, 2048, 1e-6, 1.0, false, read_llama},
    {"glm", 2, 128, 131072, 1.5625e-7, 0.5, true, read_glm},
    {"glm4", 2, 128, 131072, 1.5625e-7, 0.5, true, read_glm4},
    {"glm4v_text", 2, 0, 32768, 1e-5, 1.0, true, read_glm4v},
    {"qwen2", 32, 0, 32768, 1e-6, 1.0, false, read_qwen2},
    {"qwen3", 32, 128, 32768, 1e-6, 1.0, false, read_qwen3},
}};

const Family& family_of(const data::JsonObject& config) {
  const std::string type = config.string("model_type");
  for (const Family& family : kFamilies) {
    if (type == family.model_type) return family;
  }
  throw Error("{}: model_type: expected llama, glm, glm4, glm4v_text, qwen2 or qwen3, got \"{}\"",
              config.where(), type);
}

/// transformers heeds the key only in families that rotate a part of each head; elsewhere it may
/// only say what is done anyway.
std::int64_t rotated_dim(const data::JsonObject& config, const Family& family,
                         std::int64_t head_dim) {
  constexpr const char* kKey = "partial_rotary_factor";
  constexpr data::NumberRange kShare{.low = 0.0, .high = 1.0};
  const double share = rope_number(config, kKey, family.rotated_share, kShare);
  if (!family.heeds_share && share != family.rotated_share) {
    throw Error("{}: {}: expected 1 in a model of type {}, got {}", config.where(), kKey,
                family.model_type, share);
  }
  const auto dim = static_cast<std::int64_t>(static_cast<double>(head_dim) * share);
  if (dim < 2 || dim % 2 != 0) {
    throw Error("{}: {}: expected pairs of dimensions to rotate, got {} of head_dim {}",
                config.where(), kKey, dim, head_dim);
  }
  return dim;
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
  const Family& family = family_of(config);
  require_plain_rotation(config);
  require_full_attention(config);
  DecoderConfig c;
  c.vocab_size = config.integer("vocab_size", kSize);
  c.hidden_size = config.integer("hidden_size", kSize);
  c.intermediate_size = config.integer("intermediate_size", kSize);
  c.num_hidden_layers = config.integer("num_hidden_layers", kCount);
  c.num_attention_heads = config.integer("num_attention_heads", kCount);
  const auto size_or = [&](const char* key, std::int64_t of_family, const auto& otherwise) {
    if (config.contains(key)) return config.integer(key, kCount);
    return of_family > 0 ? of_family : otherwise();
  };
  c.num_key_value_heads = size_or("num_key_value_heads", family.num_key_value_heads,
                                  [&] { return c.num_attention_heads; });
  c.head_dim =
      size_or("head_dim", family.head_dim, [&] { return default_head_dim(c, config.where()); });
  c.max_position_embeddings =
      config.integer_or("max_position_embeddings", family.max_position_embeddings, kSize);
  c.rms_norm_eps = config.number_or("rms_norm_eps", family.rms_norm_eps, data::kPositiveNumber);
  c.activation = activation_named(config.string_or("hidden_act", "silu"), config.where());
  c.tie_word_embeddings = config.boolean_or("tie_word_embeddings", false);
  checked(c, config.where());
  c.rotation = {.theta = rope_number(config, "rope_theta", 10000.0, data::kPositiveNumber),
                .dim = rotated_dim(config, family, c.head_dim)};
  family.read(config, c);
  return c;
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
      {"attention_bias", qkv_bias},
      {"mlp_bias", mlp_bias},
  };
}

}  // namespace dualpath::modules
