#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "data/formats/gguf.h"
#include "data/formats/json.h"
#include "modules/config/activation.h"

namespace dualpath::modules {

/// The rotation of queries and keys by position (RoFormer, section 3.4.2).
struct Rotation {
  double theta = 10000.0;
  std::int64_t dim = 0;      ///< the first `dim` of a head's dimensions turn; the others stay
  bool interleaved = false;  ///< 2i turns with 2i + 1; else i with i + dim / 2
  /// The numbers of pairs that turn by a position's time, row and column, again and again in this
  /// order (M-RoPE; Wang et al. 2024, Qwen2-VL, section 2.1). If empty, all turn by one position.
  std::vector<std::int64_t> sections = {};
};

/// A decoder of Llama's form: RMSNorm, rotation, grouped-query attention, gated MLP. GLM-4's and
/// Qwen's differences have a field each.
struct DecoderConfig {
  std::int64_t vocab_size = 0, hidden_size = 0, intermediate_size = 0;
  std::int64_t num_hidden_layers = 0, num_attention_heads = 0, num_key_value_heads = 0,
               head_dim = 0;
  std::int64_t max_position_embeddings = 0;
  double rms_norm_eps = 1e-6;
  Rotation rotation;
  Activation activation = Activation::kSilu;
  bool tie_word_embeddings = false;
  bool qkv_bias = false;        ///< q, k and v
  bool output_bias = false;     ///< o
  bool mlp_bias = false;        ///< gate, up and down
  bool fused_gate_up = false;   ///< gate and up are the halves of one linear, gate_up_proj
  bool qk_norm = false;         ///< RMSNorm over each head of q and k, before the rotation
  bool sandwich_norms = false;  ///< RMSNorm over the outputs of attention and MLP, too

  /// Reads and checks a Hugging Face config.json of model_type llama, glm, glm4, glm4v_text, qwen2
  /// or qwen3. A setting that we do not compute is an Error.
  static DecoderConfig from_json(const data::JsonObject& config);
  /// Reads and checks GGUF metadata of architecture "llama". The tensors tell which biases exist.
  static DecoderConfig from_gguf(const data::GgufReader& gguf);
  /// A Hugging Face config.json, Llama's, for a model that came without one (GGUF).
  nlohmann::json to_json() const;

  /// Throws an Error for sizes that do not fit each other. `where`: their place, for the error.
  void check(const std::string& where) const;
  /// The size of a head if none is given: an equal share of the width.
  std::int64_t head_dim_of_width(const std::string& where) const;
};

/// A checkpoint's names of a decoder: the path of its body, and its head.
struct DecoderNames {
  std::string body = "model", head = "lm_head";
};

}  // namespace dualpath::modules
