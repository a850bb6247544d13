#include "modules/encoders/whisper.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "data/base/error.h"
#include "modules/layers/transformer_layer.h"

namespace dualpath::modules {
namespace {

using at::Tensor;

class WhisperBuilder {
 public:
  WhisperBuilder(const WhisperConfig& config, const std::string& prefix) : config_(config) {
    switch (config.saved_as) {
      case WhisperClass::kEncoder:
        encoder_ = prefix;
        break;
      case WhisperClass::kModel:
        encoder_ = prefix + "encoder.";
        others_ = {prefix + "decoder."};
        break;
      case WhisperClass::kConditionalGeneration:
        encoder_ = prefix + "model.encoder.";
        others_ = {prefix + "model.decoder.", prefix + "proj_out."};
        break;
    }
  }

  Network make() const {
    Network network;
    network.tower_samples[Modality::kAudio].input =
        input_without_data({1, config_.max_frames(), config_.num_mel_bins});
    network.stages.push_back(stem());
    for (std::int64_t i = 0; i < config_.num_hidden_layers; ++i)
      append_layer(network, layer(i), Modality::kAudio);
    network.stages.push_back(norm_stage(norm(encoder_ + "layer_norm"), Modality::kAudio));
    network.parts_without_effect = others_;
    return network;
  }

 private:
  NormRef norm(const std::string& name) const {
    constexpr double kEps = 1e-5;
    return {name, config_.hidden_size, kEps, NormKind::kLayer};
  }

  Stage stem() const;

  TransformerLayer layer(std::int64_t index) const {
    const std::int64_t width = config_.hidden_size, heads = config_.num_attention_heads;
    TransformerLayer layer;
    layer.name = fmt::format("{}layers.{}", encoder_, index);
    const auto linear = [&](const char* name, std::int64_t in, std::int64_t out, bool bias = true) {
      return LinearRef{layer.name + name, in, out, bias};
    };
    layer.attention_norm = norm(layer.name + ".self_attn_layer_norm");
    layer.qkv = {linear(".self_attn.q_proj", width, width),
                 linear(".self_attn.k_proj", width, width, /*bias=*/false),
                 linear(".self_attn.v_proj", width, width)};
    layer.attention = {layer.name + ".self_attn", heads, heads, width / heads, /*causal=*/false};
    layer.sees_padding = true;
    layer.output = {linear(".self_attn.out_proj", width, width)};
    layer.mlp_norm = norm(layer.name + ".final_layer_norm");
    layer.up = {linear(".fc1", width, config_.intermediate_size)};
    layer.gated = false;
    layer.activation = config_.activation;
    layer.down = {linear(".fc2", config_.intermediate_size, width)};
    return layer;
  }

  const WhisperConfig& config_;
  std::string encoder_;
  std::vector<std::string> others_;
};

Stage WhisperBuilder::stem() const {
  const auto conv = [&](const char* name, std::int64_t in, std::int64_t stride) {
    return ConvRef{.name = encoder_ + name,
                   .in_channels = in,
                   .out_channels = config_.hidden_size,
                   .kernel = {3},
                   .stride = {stride},
                   .padding = {1},
                   .bias = true};
  };
  const std::vector<ConvRef> convs{conv("conv1", config_.num_mel_bins, 1),
                                   conv("conv2", config_.hidden_size, 2)};
  const ParameterRef positions{encoder_ + "embed_positions.weight",
                               {config_.max_source_positions, config_.hidden_size}};
  const auto forward = [convs, positions, most = config_.max_frames()](Executor& executor,
                                                                       State& state) {
    Stream& stream = state.stream(Modality::kAudio);
    const std::int64_t frames = stream.input.size(1);
    if (frames > most) throw Error("audio clip: expected at most {} frames, got {}", most, frames);
    if (!stream.mask.defined())
      stream.mask = executor.constant(
          at::ones({stream.input.size(0), frames}, stream.input.options().dtype(at::kBool)));
    Tensor x = executor.arrange(Permute{{0, 2, 1}}, executor.cast(stream.input));
    for (const ConvRef& ref : convs) {
      x = executor.activation(Activation::kGelu, executor.conv(ref, x));
      stream.mask = executor.conv_mask(ref, stream.mask);
    }
    const Tensor places = executor.arrange(Slice{0, 0, x.size(2)}, executor.parameter(positions));
    stream.hidden = executor.add(executor.arrange(Permute{{0, 2, 1}}, x), places);
  };
  return {encoder_ + "stem", /*correctable=*/false, forward, Modality::kAudio};
}

}  // namespace

Network make_whisper(const WhisperConfig& config, const std::string& prefix) {
  return WhisperBuilder(config, prefix).make();
}

}  // namespace dualpath::modules
