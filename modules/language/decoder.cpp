#include "modules/language/decoder.h"

#include <fmt/format.h>

#include "modules/language/placeholders.h"
#include "modules/layers/transformer_layer.h"

namespace dualpath::modules {
namespace {

TransformerLayer make_layer(const DecoderConfig& c, const std::string& body, std::int64_t index) {
  TransformerLayer layer;
  layer.name = fmt::format("{}.layers.{}", body, index);
  const auto norm = [&](const char* name, std::int64_t width) {
    return NormRef{layer.name + name, width, c.rms_norm_eps};
  };
  const auto linear = [&](const char* name, std::int64_t in, std::int64_t out, bool bias) {
    return LinearRef{layer.name + name, in, out, bias};
  };
  const std::int64_t q = c.num_attention_heads * c.head_dim,
                     kv = c.num_key_value_heads * c.head_dim;
  layer.attention_norm = norm(".input_layernorm", c.hidden_size);
  layer.qkv = {linear(".self_attn.q_proj", c.hidden_size, q, c.qkv_bias),
               linear(".self_attn.k_proj", c.hidden_size, kv, c.qkv_bias),
               linear(".self_attn.v_proj", c.hidden_size, kv, c.qkv_bias)};
  if (c.qk_norm) {
    layer.query_norm = norm(".self_attn.q_norm", c.head_dim);
    layer.key_norm = norm(".self_attn.k_norm", c.head_dim);
  }
  layer.rotates = true;
  layer.attention = {layer.name + ".self_attn", c.num_attention_heads, c.num_key_value_heads,
                     c.head_dim};
  layer.output = {linear(".self_attn.o_proj", q, c.hidden_size, c.output_bias)};
  layer.mlp_norm = norm(".post_attention_layernorm", c.hidden_size);
  if (c.fused_gate_up) {
    layer.up = {linear(".mlp.gate_up_proj", c.hidden_size, 2 * c.intermediate_size, c.mlp_bias)};
  } else {
    layer.up = {linear(".mlp.gate_proj", c.hidden_size, c.intermediate_size, c.mlp_bias),
                linear(".mlp.up_proj", c.hidden_size, c.intermediate_size, c.mlp_bias)};
  }
  layer.activation = c.activation;
  if (c.sandwich_norms) {
    layer.after_attention_norm = norm(".post_self_attn_layernorm", c.hidden_size);
    layer.after_mlp_norm = norm(".post_mlp_layernorm", c.hidden_size);
  }
  layer.down = {linear(".mlp.down_proj", c.intermediate_size, c.hidden_size, c.mlp_bias)};
  return layer;
}

Stage embedding_stage(const DecoderConfig& c, const std::string& body,
                      const std::vector<Placeholder>& placeholders) {
  const EmbeddingRef table{body + ".embed_tokens", c.vocab_size, c.hidden_size};
  return {table.name, /*correctable=*/false,
          [table, placeholders, rotation = c.rotation](Executor& executor, State& state) {
            state.hidden = executor.embedding(table, state.ids);
            for (const Placeholder& placeholder : placeholders) fill(executor, placeholder, state);
            if (!rotation.sections.empty()) place_images(state);
            state.rotation = executor.rotation_table(rotation, state.positions);
          }};
}

}  // namespace

Network make_decoder(const DecoderConfig& config, const DecoderNames& names,
                     const std::vector<Placeholder>& placeholders) {
  Network network;
  network.stages.push_back(embedding_stage(config, names.body, placeholders));
  for (std::int64_t i = 0; i < config.num_hidden_layers; ++i)
    append_layer(network, make_layer(config, names.body, i), Modality::kText);
  const NormRef last{names.body + ".norm", config.hidden_size, config.rms_norm_eps};
  network.stages.push_back(norm_stage(last, Modality::kText));
  network.head.ref = {names.head, config.hidden_size, config.vocab_size, /*bias=*/false};
  return network;
}

}  // namespace dualpath::modules
