#include "modules/layers/transformer_layer.h"

#include "modules/layers/folds.h"
#include "modules/layers/heads.h"
#include "modules/layers/qkv.h"

namespace dualpath::modules {
namespace {

using at::Tensor;

Tensor normed(Executor& executor, const std::optional<NormRef>& norm, const Tensor& x) {
  return norm ? executor.norm(*norm, x) : x;
}

Tensor scaled(Executor& executor, const std::optional<ParameterRef>& factors, const Tensor& x) {
  return factors ? executor.multiply(x, executor.parameter(*factors)) : x;
}

Tensor residual(Executor& executor, const std::string& branch, const Tensor& x,
                const Tensor& update) {
  return executor.tap(branch + ".residual", executor.add(x, update));
}

}  // namespace

void TransformerLayer::forward(Executor& executor, Stream& stream, KvCache* cache) const {
  const Tensor attended = normed(executor, after_attention_norm, mixed(executor, stream, cache));
  stream.hidden = residual(executor, attention.name, stream.hidden,
                           scaled(executor, attention_scale, attended));
  const Tensor update = normed(executor, after_mlp_norm, mlp(executor, stream.hidden));
  stream.hidden =
      residual(executor, site(name, "mlp"), stream.hidden, scaled(executor, mlp_scale, update));
}

/// up_proj carries the factors of gate * up, because the gate passes through a function that is not
/// linear. An MLP without a gate has nothing to carry them. Attention mixes the rows of values but
/// not their channels.
std::vector<ChannelFold> TransformerLayer::folds() const {
  ChannelFold values = fold(qkv.back(), attention.num_key_value_heads * attention.head_dim, output);
  values.block = attention.head_dim;
  values.repeats = attention.num_heads / attention.num_key_value_heads;
  std::vector<ChannelFold> all{fold(attention_norm, qkv), std::move(values), fold(mlp_norm, up)};
  if (gated) all.push_back(fold(up.back(), down.front().in_features, down));
  return all;
}

Tensor TransformerLayer::mixed(Executor& executor, const Stream& stream, KvCache* cache) const {
  const std::vector<Tensor> qkv_made =
      split_qkv(executor, executor.norm_linear(attention_norm, qkv, stream.hidden), attention);
  const auto placed = [&](const Tensor& x, const std::optional<NormRef>& norm) {
    const Tensor y = normed(executor, norm, x);
    return swap_heads(executor, rotates ? executor.rotate(y, stream.rotation) : y);
  };
  const std::int64_t kv_heads = attention.num_key_value_heads;
  const Tensor q = placed(split_heads(executor, qkv_made[0], attention.num_heads), query_norm);
  const Tensor k = placed(split_heads(executor, qkv_made[1], kv_heads), key_norm);
  const Tensor v = swap_heads(executor, split_heads(executor, qkv_made[2], kv_heads));
  const bool sees_all = attention.causal || sees_padding;
  const AttentionContext context{.cache = cache, .mask = sees_all ? Tensor() : stream.mask};
  const Tensor y = executor.attention(attention, q, k, v, context);
  return executor.linear(output, merge_heads(executor, y)).front();
}

Tensor TransformerLayer::mlp(Executor& executor, const Tensor& x) const {
  std::vector<Tensor> made = executor.norm_linear(mlp_norm, up, x);
  if (!gated) return executor.linear(down, executor.activation(activation, made.front())).front();
  const std::int64_t inner = down.front().in_features;
  if (made.size() == 1) made = executor.split(made.front(), {inner, inner});
  return executor.linear(down, executor.gated(activation, made[0], made[1])).front();
}

void append_layer(Network& network, const TransformerLayer& layer, Modality stream) {
  for (ChannelFold& fold : layer.folds()) network.folds.push_back(std::move(fold));
  network.stages.push_back({layer.name, /*correctable=*/true,
                            [layer, stream](Executor& executor, State& state) {
                              KvCache* cache = layer.attention.causal ? state.cache : nullptr;
                              layer.forward(executor, state.stream(stream), cache);
                            },
                            stream});
}

}  // namespace dualpath::modules
