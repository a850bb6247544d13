#include "modules/decoder.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <optional>

#include "modules/gated.h"
#include "modules/rotation.h"

namespace dualpath::modules {
namespace {

using at::Tensor;

/// The Refs of one layer, made once.
class Layer {
 public:
  Layer(const DecoderConfig& config, std::int64_t index);

  const std::string& name() const { return name_; }
  void forward(Executor& executor, State& state) const {
    const Tensor mixed = normed(executor, after_attention_norm_, attention(executor, state));
    state.hidden = residual(executor, "self_attn", state.hidden, mixed);
    const Tensor update = normed(executor, after_mlp_norm_, mlp(executor, state.hidden));
    state.hidden = residual(executor, "mlp", state.hidden, update);
  }
  std::vector<ChannelFold> folds() const;

 private:
  Tensor attention(Executor& executor, State& state) const;
  Tensor mlp(Executor& executor, const Tensor& x) const;
  static Tensor normed(Executor& executor, const std::optional<NormRef>& norm, const Tensor& x) {
    return norm ? executor.norm(*norm, x) : x;
  }
  Tensor residual(Executor& executor, const char* branch, const Tensor& x,
                  const Tensor& update) const {
    return executor.tap(site(name_, branch) + ".residual", x + update);
  }

  DecoderConfig config_;
  std::string name_;
  NormRef input_norm_, post_attention_norm_;
  std::optional<NormRef> query_norm_, key_norm_, after_attention_norm_, after_mlp_norm_;
  LinearRefs qkv_, output_, gate_up_, down_;
  AttentionRef attention_;
};

Layer::Layer(const DecoderConfig& c, std::int64_t index)
    : config_(c), name_(fmt::format("model.layers.{}", index)) {
  const auto norm = [&](const char* name, std::int64_t width) {
    return NormRef{name_ + name, width, c.rms_norm_eps};
  };
  const auto linear = [&](const char* name, std::int64_t in, std::int64_t out, bool bias) {
    return LinearRef{name_ + name, in, out, bias};
  };
  const std::int64_t q = c.num_attention_heads * c.head_dim,
                     kv = c.num_key_value_heads * c.head_dim;
  input_norm_ = norm(".input_layernorm", c.hidden_size);
  qkv_ = {linear(".self_attn.q_proj", c.hidden_size, q, c.qkv_bias),
          linear(".self_attn.k_proj", c.hidden_size, kv, c.qkv_bias),
          linear(".self_attn.v_proj", c.hidden_size, kv, c.qkv_bias)};
  if (c.qk_norm) {
    query_norm_ = norm(".self_attn.q_norm", c.head_dim);
    key_norm_ = norm(".self_attn.k_norm", c.head_dim);
  }
  attention_ = {name_ + ".self_attn", c.num_attention_heads, c.num_key_value_heads, c.head_dim};
  output_ = {linear(".self_attn.o_proj", q, c.hidden_size, c.output_bias)};
  post_attention_norm_ = norm(".post_attention_layernorm", c.hidden_size);
  if (c.fused_gate_up) {
    gate_up_ = {linear(".mlp.gate_up_proj", c.hidden_size, 2 * c.intermediate_size, c.mlp_bias)};
  } else {
    gate_up_ = {linear(".mlp.gate_proj", c.hidden_size, c.intermediate_size, c.mlp_bias),
                linear(".mlp.up_proj", c.hidden_size, c.intermediate_size, c.mlp_bias)};
  }
  if (c.sandwich_norms) {
    after_attention_norm_ = norm(".post_self_attn_layernorm", c.hidden_size);
    after_mlp_norm_ = norm(".post_mlp_layernorm", c.hidden_size);
  }
  down_ = {linear(".mlp.down_proj", c.intermediate_size, c.hidden_size, c.mlp_bias)};
}

ChannelFold fold(const NormRef& norm, const LinearRefs& consumers) {
  return {.weight = norm.weight_name(), .bias = "", .channels = norm.width, .consumers = consumers};
}

/// The last `channels` outputs: a fused gate and up_proj ends with up's.
ChannelFold fold(const LinearRef& producer, std::int64_t channels, const LinearRefs& consumers) {
  return {.weight = producer.weight_name(),
          .bias = producer.bias ? producer.bias_name() : "",
          .first_row = producer.out_features - channels,
          .channels = channels,
          .consumers = consumers};
}

/// The gate passes through a function that is not linear, so it is up_proj that carries the factors
/// of their product; attention mixes the rows of values but not their channels.
std::vector<ChannelFold> Layer::folds() const {
  ChannelFold values = fold(qkv_.back(), qkv_.back().out_features, output_);
  values.block = attention_.head_dim;
  values.repeats = attention_.num_heads / attention_.num_key_value_heads;
  return {fold(input_norm_, qkv_), std::move(values), fold(post_attention_norm_, gate_up_),
          fold(gate_up_.back(), down_.front().in_features, down_)};
}

Tensor Layer::attention(Executor& executor, State& state) const {
  const std::vector<Tensor> qkv = executor.norm_linear(input_norm_, qkv_, state.hidden);
  const auto heads = [&](const Tensor& x, std::int64_t count) {  // -> [B, T, count, D]
    return x.unflatten(-1, {count, config_.head_dim});
  };
  const auto turned = [&](const Tensor& x, const std::optional<NormRef>& norm) {
    return rotate(normed(executor, norm, x), state.rotation).transpose(1, 2);
  };
  const std::int64_t kv_heads = attention_.num_key_value_heads;
  const Tensor q = turned(heads(qkv[0], attention_.num_heads), query_norm_);
  const Tensor k = turned(heads(qkv[1], kv_heads), key_norm_);
  const Tensor v = heads(qkv[2], kv_heads).transpose(1, 2);
  const Tensor mixed = executor.attention(attention_, q, k, v, {.cache = state.cache});
  return executor.linear(output_, mixed.transpose(1, 2).flatten(2)).front();
}

Tensor Layer::mlp(Executor& executor, const Tensor& x) const {
  std::vector<Tensor> gate_up = executor.norm_linear(post_attention_norm_, gate_up_, x);
  if (config_.fused_gate_up) gate_up = gate_up.front().chunk(2, -1);
  const Tensor product = gated(config_.activation, gate_up[0], gate_up[1]);
  return executor.linear(down_, product).front();
}

Stage embedding_stage(const DecoderConfig& c) {
  const EmbeddingRef table{"model.embed_tokens", c.vocab_size, c.hidden_size};
  return {table.name, /*correctable=*/false,
          [table, rotation = c.rotation](Executor& executor, State& state) {
            state.hidden = executor.embedding(table, state.ids);
            state.rotation = rotation_table(rotation, state.positions);
          }};
}

Stage final_norm_stage(const DecoderConfig& c) {
  const NormRef norm{"model.norm", c.hidden_size, c.rms_norm_eps};
  return {norm.name, /*correctable=*/false, [norm](Executor& executor, State& state) {
            state.hidden = executor.norm(norm, state.hidden);
          }};
}

}  // namespace

Network make_decoder(const DecoderConfig& config) {
  Network network;
  network.stages.push_back(embedding_stage(config));
  for (std::int64_t i = 0; i < config.num_hidden_layers; ++i) {
    const Layer layer(config, i);
    for (ChannelFold& fold : layer.folds()) network.folds.push_back(std::move(fold));
    network.stages.push_back(
        {layer.name(), /*correctable=*/true,
         [layer](Executor& executor, State& state) { layer.forward(executor, state); }});
  }
  network.stages.push_back(final_norm_stage(config));
  network.head.ref = {"lm_head", config.hidden_size, config.vocab_size, /*bias=*/false};
  return network;
}

}  // namespace dualpath::modules
