#include "modules/config/decoder_config.h"

#include <array>
#include <nlohmann/json.hpp>
#include <numeric>

#include "data/base/error.h"
#include "modules/config/config_keys.h"

namespace dualpath::modules {
namespace {

constexpr data::IntegerRange kSize{.low = 1, .high = std::int64_t{1} << 32};
constexpr data::IntegerRange kCount{.low = 1, .high = 1 << 16};

double rope_number(const data::JsonObject& config, const char* key, double fallback,
                   data::NumberRange range) {
  const double value = config.number_or(key, fallback, range);
  const auto rotation = rotation_of(config);
  return rotation ? rotation->number_or(key, value, range) : value;
}

/// Refuses keys beyond those of plain rotation: they would scale it, or set it for each type of
/// layer.
void require_plain_rotation(const data::JsonObject& config) {
  const auto rotation = rotation_of(config);
  if (!rotation) return;
  const std::string type = rotation->string_or("rope_type", rotation->string_or("type", "default"));
  if (type != "default")
    throw Error("{}: rope_type: expected \"default\", got \"{}\"", rotation->where(), type);
  require_known_keys(*rotation, {"rope_type", "type", "rope_theta", "partial_rotary_factor",
                                 "mrope_section", "original_max_position_embeddings"});
}

/// Requires attention of each position to all before it and none behind it.
void require_full_attention(const data::JsonObject& config) {
  if (!config.boolean_or("is_causal", true))
    throw Error("{}: is_causal: expected true, got false", config.where());
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
  require_same(config, "head_dim", c.hidden_size / c.num_attention_heads);
  c.qkv_bias = true;
  c.rotation.interleaved = true;
  c.fused_gate_up = c.sandwich_norms = true;
  c.rotation.sections = {8, 12, 12};
  const auto rotation = rotation_of(config);
  if (rotation && rotation->contains("mrope_section"))
    c.rotation.sections = rotation->integers("mrope_section", kCount);
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

/// transformers' defaults for a model_type. `read` sets the fields in which it differs from other
/// families.
struct Family {
  const char* model_type;
  std::int64_t num_key_value_heads;  // 0: as many as query heads
  std::int64_t head_dim;             // 0: hidden_size / num_attention_heads
  std::int64_t max_position_embeddings;
  double rms_norm_eps;
  double rotated_share;  // share of a head's dimensions that rotate
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

/// The number of rotated dimensions. transformers heeds the key only in families that rotate a part
/// of each head; elsewhere it may only say what is done anyway.
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

}  // namespace

DecoderConfig DecoderConfig::from_json(const data::JsonObject& config) {
  const Family& family = family_of(config);
  refuse_other_arithmetic(config);
  require_plain_rotation(config);
  require_full_attention(config);
  DecoderConfig c;
  c.vocab_size = config.integer("vocab_size", kSize);
  c.hidden_size = config.integer("hidden_size", kSize);
  c.intermediate_size = config.integer("intermediate_size", kSize);
  c.num_hidden_layers = config.integer("num_hidden_layers", kCount);
  c.num_attention_heads = config.integer("num_attention_heads", kCount);
  // A family's default is for a missing key. null is Python's None, which transformers derives from
  // the other sizes.
  const auto size_or = [&](const char* key, std::int64_t of_family, const auto& otherwise) {
    if (config.contains(key)) return config.integer(key, kCount);
    return of_family > 0 && !config.raw().contains(key) ? of_family : otherwise();
  };
  c.num_key_value_heads = size_or("num_key_value_heads", family.num_key_value_heads,
                                  [&] { return c.num_attention_heads; });
  c.head_dim =
      size_or("head_dim", family.head_dim, [&] { return c.head_dim_of_width(config.where()); });
  c.max_position_embeddings =
      config.integer_or("max_position_embeddings", family.max_position_embeddings, kSize);
  c.rms_norm_eps = config.number_or("rms_norm_eps", family.rms_norm_eps, data::kPositiveNumber);
  c.activation = activation_named(config.string_or("hidden_act", "silu"), config.where());
  c.tie_word_embeddings = config.boolean_or("tie_word_embeddings", false);
  c.check(config.where());
  c.rotation = {.theta = rope_number(config, "rope_theta", 10000.0, data::kPositiveNumber),
                .dim = rotated_dim(config, family, c.head_dim)};
  family.read(config, c);
  return c;
}

void DecoderConfig::check(const std::string& where) const {
  if (num_attention_heads % num_key_value_heads != 0) {
    throw Error(
        "{}: expected num_attention_heads to be a multiple of num_key_value_heads, got {} and {}",
        where, num_attention_heads, num_key_value_heads);
  }
  if (head_dim % 2 != 0)
    throw Error("{}: head_dim: expected an even number, got {}", where, head_dim);
}

std::int64_t DecoderConfig::head_dim_of_width(const std::string& where) const {
  if (hidden_size % num_attention_heads != 0) {
    throw Error("{}: expected hidden_size to be a multiple of num_attention_heads, got {} and {}",
                where, hidden_size, num_attention_heads);
  }
  return hidden_size / num_attention_heads;
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
