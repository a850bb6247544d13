#include "modules/encoders/glm4v_vision.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "modules/encoders/patch_places.h"
#include "modules/encoders/patches.h"
#include "modules/layers/transformer_layer.h"
#include "modules/weights/to_device.h"

namespace dualpath::modules {
namespace {

using at::Tensor;

class Glm4vVisionBuilder {
 public:
  Glm4vVisionBuilder(const Glm4vVisionConfig& config, const std::string& prefix)
      : config_(config), prefix_(prefix) {}

  Network make() const {
    Network network;
    network.tower_samples[Modality::kImage] = sample();
    network.stages.push_back(embedding_stage());
    for (std::int64_t i = 0; i < config_.num_hidden_layers; ++i)
      append_layer(network, make_layer(i), Modality::kImage);
    network.stages.push_back(norm_stage(norm(prefix_ + "post_layernorm"), Modality::kImage));
    network.stages.push_back(downsample_stage());
    network.stages.push_back(merger_stage());
    return network;
  }

 private:
  NormRef norm(const std::string& name) const {
    return {name, config_.hidden_size, config_.rms_norm_eps};
  }

  /// An image of one merged square.
  Stream sample() const {
    const std::int64_t side = config_.spatial_merge_size;
    Stream stream;
    stream.input = input_without_data({1, side * side, config_.patch_values()});
    stream.grid = at::full({1, 2}, side, at::kLong);
    return stream;
  }

  TransformerLayer make_layer(std::int64_t index) const {
    const std::int64_t width = config_.hidden_size, heads = config_.num_attention_heads;
    TransformerLayer layer;
    layer.name = fmt::format("{}blocks.{}", prefix_, index);
    const auto linear = [&](const char* name, std::int64_t in, std::int64_t out,
                            bool bias = false) {
      return LinearRef{layer.name + name, in, out, bias};
    };
    layer.attention_norm = norm(layer.name + ".norm1");
    layer.qkv = {linear(".attn.qkv", width, 3 * width, config_.attention_bias)};
    layer.rotates = true;
    layer.attention = {layer.name + ".attn", heads, heads, width / heads, /*causal=*/false};
    layer.output = {linear(".attn.proj", width, width)};
    layer.mlp_norm = norm(layer.name + ".norm2");
    layer.up = {linear(".mlp.gate_proj", width, config_.out_hidden_size),
                linear(".mlp.up_proj", width, config_.out_hidden_size)};
    layer.activation = config_.activation;
    layer.down = {linear(".mlp.down_proj", config_.out_hidden_size, width)};
    return layer;
  }

  Stage embedding_stage() const;
  Stage downsample_stage() const;
  Stage merger_stage() const;

  const Glm4vVisionConfig& config_;
  std::string prefix_;
};

/// Turns half of each head's pairs by the row, the others by the column.
RotationTable rotation_of(Executor& executor, const Tensor& places, const Rotation& half) {
  const auto table = [&](std::int64_t side) {
    const Tensor place = executor.arrange(Slice{2, side, 1}, places);
    return executor.rotation_table(half, executor.arrange(Flatten{1}, place));
  };
  const RotationTable rows = table(0), columns = table(1);
  return {executor.concatenate({rows.cos, columns.cos}, -1),
          executor.concatenate({rows.sin, columns.sin}, -1)};
}

Stage Glm4vVisionBuilder::embedding_stage() const {
  const std::int64_t width = config_.hidden_size, side = config_.patch_size;
  const LinearRef patches{prefix_ + "patch_embed.proj",
                          config_.patch_values(),
                          width,
                          /*bias=*/true,
                          {config_.temporal_patch_size, side, side}};
  const ParameterRef positions{prefix_ + "embeddings.position_embedding.weight",
                               {config_.positions * config_.positions, width}};
  const Rotation half{.theta = config_.rope_theta, .dim = width / config_.num_attention_heads / 2};
  const auto forward =
      [patches, positions, half, own = config_.positions, merge = config_.spatial_merge_size,
       first_norm = norm(prefix_ + "post_conv_layernorm")](Executor& executor, State& state) {
        Stream& stream = state.stream(Modality::kImage);
        const std::int64_t length = stream.input.size(1);
        const Tensor table = executor.parameter(positions);
        const Tensor places = merged_places(stream.grid, merge, length).to(at::kLong);
        stream.places = to_device(places, stream.input.device());
        stream.rotation = rotation_of(executor, stream.places, half);
        const Tensor made = executor.linear({patches}, executor.cast(stream.input)).front();
        stream.hidden =
            executor.add(executor.norm(first_norm, made),
                         executor.interpolate({own, own}, table, stream.places, stream.grid));
      };
  return {prefix_ + "patch_embed", /*correctable=*/false, forward, Modality::kImage};
}

/// Convolves with a merged square as the kernel: a linear of its patches.
Stage Glm4vVisionBuilder::downsample_stage() const {
  const std::int64_t side = config_.spatial_merge_size, square = side * side;
  const LinearRef conv{prefix_ + "downsample",
                       config_.hidden_size * square,
                       config_.out_hidden_size,
                       /*bias=*/true,
                       {side, side}};
  const auto forward = [conv, side, square](Executor& executor, State& state) {
    Stream& stream = state.stream(Modality::kImage);
    const Tensor patches = executor.arrange(Unflatten{1, {-1, square}}, stream.hidden);
    const Tensor squares =  // [.., H * square]
        executor.arrange(Flatten{2}, executor.arrange(Permute{{0, 1, 3, 2}}, patches));
    if (stream.mask.defined()) stream.mask = every(executor, stream.mask, square);
    stream.grid = merged_grid(stream.grid, side);
    stream.hidden = executor.linear({conv}, squares).front();
  };
  return {conv.name, /*correctable=*/false, forward, Modality::kImage, /*merges=*/true};
}

Stage Glm4vVisionBuilder::merger_stage() const {
  constexpr double kEps = 1e-5;  // torch's LayerNorm's
  const std::string name = prefix_ + "merger";
  const std::int64_t width = config_.out_hidden_size, inner = config_.intermediate_size;
  const LinearRef first{name + ".proj", width, width}, gate{name + ".gate_proj", width, inner},
      up{name + ".up_proj", width, inner}, down{name + ".down_proj", inner, width};
  const NormRef norm{name + ".post_projection_norm", width, kEps, NormKind::kLayer};
  const auto forward = [=, activation = config_.activation](Executor& executor, State& state) {
    Tensor& hidden = state.stream(Modality::kImage).hidden;
    const Tensor projected = executor.norm(norm, executor.linear({first}, hidden).front());
    const std::vector<Tensor> made =
        executor.linear({gate, up}, executor.activation(Activation::kGelu, projected));
    hidden = executor.linear({down}, executor.gated(activation, made[0], made[1])).front();
  };
  return {name, /*correctable=*/true, forward, Modality::kImage};
}

}  // namespace

Network make_glm4v_vision(const Glm4vVisionConfig& config, const std::string& prefix) {
  return Glm4vVisionBuilder(config, prefix).make();
}

}  // namespace dualpath::modules
