#include "modules/config/config_keys.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string>

#include "data/base/error.h"

namespace dualpath::modules {
namespace {

/// Keys of any model: the file that holds the weights, and layers that differ from the rest.
constexpr std::array<std::string_view, 2> kOfAnyModel{"transformers_weights", "per_layer_config"};

/// Keys by which families that we do not know scale, cap, route or skip. transformers' classes of
/// our families do not read them. Whoever wrote one meant other code, with another result.
constexpr std::array<std::string_view, 18> kOfOtherFamilies{
    "attention_multiplier",
    "residual_multiplier",
    "embedding_multiplier",
    "logits_scaling",
    "logit_scale",
    "scale_emb",
    "scale_depth",
    "query_pre_attn_scalar",
    "attn_logit_softcapping",
    "final_logit_softcapping",
    "clip_qkv",
    "use_qk_norm",
    "no_rope_layers",
    "use_bidirectional_attention",
    "attention_chunk_size",
    "num_experts",
    "num_local_experts",
    "n_routed_experts",
};

/// Keys of transformers' PreTrainedConfig: names, types, labels, and settings of training.
constexpr std::array<std::string_view, 20> kGeneral{"model_type",
                                                    "architectures",
                                                    "transformers_version",
                                                    "dtype",
                                                    "torch_dtype",
                                                    "auto_map",
                                                    "id2label",
                                                    "label2id",
                                                    "problem_type",
                                                    "return_dict",
                                                    "output_attentions",
                                                    "output_hidden_states",
                                                    "use_cache",
                                                    "is_encoder_decoder",
                                                    "chunk_size_feed_forward",
                                                    "initializer_range",
                                                    "quantization_config",
                                                    "bos_token_id",
                                                    "eos_token_id",
                                                    "pad_token_id"};

/// Whether a value is neutral: null, false, empty, or a number that neither adds nor scales.
bool is_neutral(const nlohmann::json& value) {
  return value.is_null() || value == false || value == 0 || value == 1 ||
         (value.is_structured() && value.empty());
}

using Keys = std::initializer_list<std::string_view>;

bool contains(const auto& keys, std::string_view key) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

/// Refuses unknown keys. Names that begin with an underscore are remarks (_name_or_path).
void require_known(const data::JsonObject& config, Keys known, bool or_general) {
  for (const std::string& key : config.keys()) {
    if (contains(known, key) || !config.contains(key) || key.starts_with('_')) continue;
    if (or_general && contains(kGeneral, key)) continue;
    throw Error("{}: {}: is not known here; expected {}", config.where(), printable(key),
                fmt::join(known, ", "));
  }
}

}  // namespace

void refuse_other_arithmetic(const data::JsonObject& config) {
  const auto refuse_unless_neutral = [&](std::string_view key) {
    const auto found = config.raw().find(key);
    if (found == config.raw().end() || is_neutral(*found)) return;
    throw Error("{}: {}: is not supported in a model of this type, got {}", config.where(), key,
                found->is_structured() ? std::string("an ") + found->type_name() : found->dump());
  };
  for (const std::string_view key : kOfAnyModel) refuse_unless_neutral(key);
  for (const std::string_view key : kOfOtherFamilies) refuse_unless_neutral(key);
}

std::optional<data::JsonObject> rotation_of(const data::JsonObject& config) {
  const auto scaling = config.object_if("rope_scaling");
  if (scaling && !scaling->keys().empty()) return scaling;
  return config.object_if("rope_parameters");
}

void require_same(const data::JsonObject& config, std::string_view key, std::int64_t derived) {
  const std::int64_t value = config.integer_or(key, derived);
  if (value != derived)
    throw Error("{}: {}: expected {}, got {}", config.where(), key, derived, value);
}

void require_known_keys(const data::JsonObject& config, Keys known) {
  require_known(config, known, /*or_general=*/false);
}

void require_known_or_general_keys(const data::JsonObject& config, Keys known) {
  require_known(config, known, /*or_general=*/true);
}

}  // namespace dualpath::modules
