#include "modules/encoders/vit.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "data/base/error.h"
#include "modules/encoders/patches.h"
#include "modules/layers/transformer_layer.h"

namespace dualpath::modules {
namespace {

using at::Tensor;

/// A checkpoint's names for the parts. A layer's stand behind its name.
struct VitNames {
  const char *class_token, *positions, *patches, *embeddings;
  const char *layer, *attention_norm, *query, *key, *value, *qkv, *attention, *output;
  const char *mlp_norm, *up, *down, *final_norm, *classifier;
  const char *attention_scale = nullptr, *mlp_scale = nullptr;  // LayerScale's factors
};

constexpr VitNames kHuggingFace{.class_token = "embeddings.cls_token",
                                .positions = "embeddings.position_embeddings",
                                .patches = "embeddings.patch_embeddings.projection",
                                .embeddings = "embeddings",
                                .layer = "encoder.layer.",
                                .attention_norm = ".layernorm_before",
                                .query = ".attention.attention.query",
                                .key = ".attention.attention.key",
                                .value = ".attention.attention.value",
                                .qkv = nullptr,
                                .attention = ".attention.attention",
                                .output = ".attention.output.dense",
                                .mlp_norm = ".layernorm_after",
                                .up = ".intermediate.dense",
                                .down = ".output.dense",
                                .final_norm = "layernorm",
                                .classifier = "classifier"};

constexpr VitNames dinov2_names(const char* up, const char* down) {
  VitNames names = kHuggingFace;
  names.attention_norm = ".norm1";
  names.mlp_norm = ".norm2";
  names.up = up;
  names.down = down;
  names.attention_scale = ".layer_scale1.lambda1";
  names.mlp_scale = ".layer_scale2.lambda1";
  return names;
}
constexpr VitNames kDinov2 = dinov2_names(".mlp.fc1", ".mlp.fc2"),
                   kDinov2Gated = dinov2_names(".mlp.weights_in", ".mlp.weights_out");

constexpr VitNames kTimm{.class_token = "cls_token",
                         .positions = "pos_embed",
                         .patches = "patch_embed.proj",
                         .embeddings = "patch_embed",
                         .layer = "blocks.",
                         .attention_norm = ".norm1",
                         .query = nullptr,
                         .key = nullptr,
                         .value = nullptr,
                         .qkv = ".attn.qkv",
                         .attention = ".attn",
                         .output = ".attn.proj",
                         .mlp_norm = ".norm2",
                         .up = ".mlp.fc1",
                         .down = ".mlp.fc2",
                         .final_norm = "norm",
                         .classifier = "head"};

const VitNames& names_of(const VitConfig& config) {
  switch (config.naming) {
    case VitNaming::kTimm:
      return kTimm;
    case VitNaming::kDinov2:
      return config.gated ? kDinov2Gated : kDinov2;
    case VitNaming::kHuggingFace:
      break;
  }
  return kHuggingFace;
}

class VitBuilder {
 public:
  VitBuilder(const VitConfig& config, std::string prefix)
      : config_(config), names_(names_of(config)), outer_(std::move(prefix)) {
    // transformers' classifier holds the encoder as "vit".
    const bool is_within = config.naming == VitNaming::kHuggingFace && config.num_labels > 0;
    prefix_ = outer_ + (is_within ? "vit." : "");
  }

  Network make() const {
    Network network;
    network.tower_samples[Modality::kImage].input =
        input_without_data({1, config_.num_channels, config_.image_height, config_.image_width});
    network.stages.push_back(embedding_stage());
    for (std::int64_t i = 0; i < config_.num_hidden_layers; ++i)
      append_layer(network, make_layer(i), Modality::kImage);
    network.stages.push_back(norm_stage(norm(prefix_ + names_.final_norm), Modality::kImage));
    if (config_.num_labels > 0)
      network.head.ref = {outer_ + names_.classifier, config_.hidden_size, config_.num_labels,
                          /*bias=*/true};
    return network;
  }

 private:
  NormRef norm(const std::string& name) const {
    return {name, config_.hidden_size, config_.layer_norm_eps, NormKind::kLayer};
  }

  Stage embedding_stage() const;

  TransformerLayer make_layer(std::int64_t index) const {
    const std::int64_t width = config_.hidden_size, heads = config_.num_attention_heads;
    TransformerLayer layer;
    layer.name = fmt::format("{}{}{}", prefix_, names_.layer, index);
    const auto linear = [&](const char* name, std::int64_t in, std::int64_t out, bool bias = true) {
      return LinearRef{layer.name + name, in, out, bias};
    };
    layer.attention_norm = norm(layer.name + names_.attention_norm);
    if (names_.qkv) {
      layer.qkv = {linear(names_.qkv, width, 3 * width, config_.qkv_bias)};
    } else {
      for (const char* name : {names_.query, names_.key, names_.value})
        layer.qkv.push_back(linear(name, width, width, config_.qkv_bias));
    }
    layer.attention = {layer.name + names_.attention, heads, heads, width / heads,
                       /*causal=*/false};
    layer.output = {linear(names_.output, width, width)};
    layer.mlp_norm = norm(layer.name + names_.mlp_norm);
    layer.up = {linear(names_.up, width, (config_.gated ? 2 : 1) * config_.intermediate_size)};
    layer.gated = config_.gated;
    layer.activation = config_.activation;
    layer.down = {linear(names_.down, config_.intermediate_size, width)};
    if (config_.layer_scale) {
      const std::vector<std::int64_t> shape{width};
      layer.attention_scale = ParameterRef{layer.name + names_.attention_scale, shape};
      layer.mlp_scale = ParameterRef{layer.name + names_.mlp_scale, shape};
    }
    return layer;
  }

  const VitConfig& config_;
  const VitNames& names_;
  std::string outer_, prefix_;
};

data::ImageGrid grid_of(const Tensor& pixels, std::int64_t patch_size) {
  const std::int64_t height = pixels.size(2), width = pixels.size(3);
  if (height % patch_size != 0 || width % patch_size != 0)
    throw Error("an image of {}x{} pixels is not divided by patches of {}", height, width,
                patch_size);
  return {height / patch_size, width / patch_size};
}

Stage VitBuilder::embedding_stage() const {
  const std::int64_t width = config_.hidden_size, side = config_.patch_size;
  const data::ImageGrid own{config_.rows(), config_.columns()};
  const ParameterRef class_token{prefix_ + names_.class_token, {1, 1, width}};
  const ParameterRef positions{prefix_ + names_.positions, {1, 1 + own.rows * own.columns, width}};
  const LinearRef patches{prefix_ + names_.patches,
                          config_.num_channels * side * side,
                          width,
                          /*bias=*/true,
                          {side, side}};
  const bool antialiased = config_.naming == VitNaming::kTimm;
  const auto forward = [=](Executor& executor, State& state) {
    Stream& stream = state.stream(Modality::kImage);
    const data::ImageGrid grid = grid_of(stream.input, side);
    const std::int64_t batch = stream.input.size(0), count = grid.rows * grid.columns;
    const auto all_real = [&](std::int64_t number) {
      const auto options = stream.input.options().dtype(at::kBool);
      return executor.constant(at::ones({batch, number}, options));
    };
    const Tensor first = executor.parameter(class_token), places = executor.parameter(positions);
    stream.mask = all_real(count);
    const Tensor pixels = patches_of(executor, executor.cast(stream.input), side);
    const Tensor of_patches = executor.arrange(Slice{1, 1, own.rows * own.columns}, places);
    const Tensor embedded = executor.add(executor.linear({patches}, pixels).front(),
                                         executor.resize({own, grid, antialiased}, of_patches));
    const Tensor leading = executor.add(first, executor.arrange(Slice{1, 0, 1}, places));
    const Tensor start = executor.arrange(Expand{{batch, -1, -1}}, leading);
    stream.hidden = executor.concatenate({start, embedded}, 1);
    stream.mask = all_real(1 + count);
    stream.grid = at::tensor({grid.rows, grid.columns}).expand({batch, 2});
    stream.leading = 1;
  };
  return {prefix_ + names_.embeddings, /*correctable=*/false, forward, Modality::kImage};
}

}  // namespace

Network make_vit(const VitConfig& config, const std::string& prefix) {
  return VitBuilder(config, prefix).make();
}

}  // namespace dualpath::modules
