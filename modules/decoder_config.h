#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "data/formats/gguf.h"
#include "data/formats/json.h"

namespace dualpath::modules {

/// The rotation of queries and keys by position (RoFormer, section 3.4.2), halves side by side as
/// Hugging Face has them.
struct Rotation {
  double theta = 10000.0;
  std::int64_t dim = 0;  ///< how many of a head's dimensions are rotated, the first ones
};

enum class Activation { kSilu, kGelu, kGeluTanh, kRelu };

/// A decoder of the Llama family: RMSNorm, rotation, grouped-query attention, gated MLP.
struct DecoderConfig {
  std::int64_t vocab_size = 0, hidden_size = 0, intermediate_size = 0;
  std::int64_t num_hidden_layers = 0, num_attention_heads = 0, num_key_value_heads = 0,
               head_dim = 0;
  std::int64_t max_position_embeddings = 0;
  double rms_norm_eps = 1e-6;
  Rotation rotation;
  Activation activation = Activation::kSilu;
  bool tie_word_embeddings = false;
  bool attention_bias = false;  ///< q, k, v and o
  bool mlp_bias = false;        ///< gate, up and down

  /// Reads and checks a Hugging Face config.json of model_type "llama"; what we do not compute is
  /// an Error.
  static DecoderConfig from_json(const data::JsonObject& config);
  /// Reads and checks GGUF metadata of architecture "llama".
  static DecoderConfig from_gguf(const data::GgufReader& gguf);
  /// A Hugging Face config.json for a model that came without one.
  nlohmann::json to_json() const;
};

}  // namespace dualpath::modules
