#include "modules/encoders/conformer.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "modules/encoders/subsampling.h"
#include "modules/layers/conformer_layer.h"

namespace dualpath::modules {
namespace {

/// A checkpoint's names for a layer's parts, behind the layer's name.
struct Names {
  const char* layer;
  const char *first_norm, *first_up, *first_down, *second_norm, *second_up, *second_down;
  const char *attention_norm, *attention, *output;
  const char *convolution_norm, *expand, *depthwise, *batch_norm, *contract, *final_norm;
};

constexpr Names kParakeet{.layer = "layers",
                          .first_norm = ".norm_feed_forward1",
                          .first_up = ".feed_forward1.linear1",
                          .first_down = ".feed_forward1.linear2",
                          .second_norm = ".norm_feed_forward2",
                          .second_up = ".feed_forward2.linear1",
                          .second_down = ".feed_forward2.linear2",
                          .attention_norm = ".norm_self_att",
                          .attention = ".self_attn",
                          .output = ".self_attn.o_proj",
                          .convolution_norm = ".norm_conv",
                          .expand = ".conv.pointwise_conv1",
                          .depthwise = ".conv.depthwise_conv",
                          .batch_norm = ".conv.norm",
                          .contract = ".conv.pointwise_conv2",
                          .final_norm = ".norm_out"};

constexpr Names kTorchaudio{.layer = "conformer_layers",
                            .first_norm = ".ffn1.sequential.0",
                            .first_up = ".ffn1.sequential.1",
                            .first_down = ".ffn1.sequential.4",
                            .second_norm = ".ffn2.sequential.0",
                            .second_up = ".ffn2.sequential.1",
                            .second_down = ".ffn2.sequential.4",
                            .attention_norm = ".self_attn_layer_norm",
                            .attention = ".self_attn",
                            .output = ".self_attn.out_proj",
                            .convolution_norm = ".conv_module.layer_norm",
                            .expand = ".conv_module.sequential.0",
                            .depthwise = ".conv_module.sequential.2",
                            .batch_norm = ".conv_module.sequential.3",
                            .contract = ".conv_module.sequential.5",
                            .final_norm = ".final_layer_norm"};

const Names& names_of(const ConformerConfig& config) {
  return config.kind == ConformerKind::kParakeet ? kParakeet : kTorchaudio;
}

std::string layer_name(const ConformerConfig& config, const std::string& prefix,
                       std::int64_t index) {
  return fmt::format("{}{}.{}", prefix, names_of(config).layer, index);
}

class LayerBuilder {
 public:
  LayerBuilder(const ConformerConfig& config, std::string name)
      : config_(config), names_(names_of(config)), name_(std::move(name)) {}

  ConformerLayer make() const {
    ConformerLayer layer;
    layer.name = name_;
    layer.first = feed_forward(names_.first_norm, names_.first_up, names_.first_down);
    layer.second = feed_forward(names_.second_norm, names_.second_up, names_.second_down);
    layer.attention = attention();
    layer.convolution = convolution();
    layer.final_norm = norm(names_.final_norm);
    layer.activation = config_.activation;
    layer.convolution_first = config_.convolution_first;
    return layer;
  }

 private:
  NormRef norm(const char* name, NormKind kind = NormKind::kLayer) const {
    constexpr double kEps = 1e-5;
    return {name_ + name, config_.hidden_size, kEps, kind};
  }
  LinearRef linear(const std::string& name, std::int64_t in, std::int64_t out, bool bias) const {
    return {name_ + name, in, out, bias};
  }
  LinearRef pointwise(const char* name, std::int64_t out) const {
    return {name_ + name, config_.hidden_size, out, config_.convolution_bias, {1}};
  }

  ConformerLayer::FeedForward feed_forward(const char* norm_name, const char* up,
                                           const char* down) const {
    const std::int64_t width = config_.hidden_size, inner = config_.intermediate_size;
    return {norm(norm_name), linear(up, width, inner, config_.attention_bias),
            linear(down, inner, width, config_.attention_bias)};
  }

  ConformerLayer::Attention attention() const {
    const std::int64_t width = config_.hidden_size, heads = config_.num_attention_heads;
    const std::string own = names_.attention;
    ConformerLayer::Attention a;
    a.norm = norm(names_.attention_norm);
    a.ref = {name_ + own, heads, heads, config_.head_dim(), /*causal=*/false};
    a.output = linear(names_.output, width, width, config_.attention_bias);
    if (config_.kind == ConformerKind::kTorchaudio) {
      a.qkv = {linear(own + ".in_proj", width, 3 * width, /*bias=*/true)};
      return a;
    }
    for (const char* name : {".q_proj", ".k_proj", ".v_proj"})
      a.qkv.push_back(linear(own + name, width, width, config_.attention_bias));
    const auto bias = [&](const char* name) {
      return ParameterRef{name_ + own + name, {heads, config_.head_dim()}};
    };
    a.positions = {linear(own + ".relative_k_proj", width, width, /*bias=*/false), bias(".bias_u"),
                   bias(".bias_v")};
    return a;
  }

  ConformerLayer::Convolution convolution() const {
    const std::int64_t width = config_.hidden_size, kernel = config_.conv_kernel_size;
    return {norm(names_.convolution_norm), pointwise(names_.expand, 2 * width),
            ConvRef{.name = name_ + names_.depthwise,
                    .in_channels = width,
                    .out_channels = width,
                    .kernel = {kernel},
                    .stride = {1},
                    .padding = {(kernel - 1) / 2},
                    .groups = width,
                    .bias = config_.convolution_bias},
            norm(names_.batch_norm, NormKind::kBatch), pointwise(names_.contract, width)};
  }

  const ConformerConfig& config_;
  const Names& names_;
  std::string name_;
};

Stream& audio_with_mask(Executor& executor, State& state) {
  Stream& stream = state.stream(Modality::kAudio);
  if (!stream.mask.defined()) {
    const at::Tensor& x = stream.input;
    stream.mask = executor.constant(at::ones({x.size(0), x.size(1)}, x.options().dtype(at::kBool)));
  }
  return stream;
}

Stage input_stage(const ConformerConfig& config, const std::string& prefix) {
  if (config.kind == ConformerKind::kTorchaudio) {
    return {prefix + "input", /*correctable=*/false,
            [](Executor& executor, State& state) {
              Stream& stream = audio_with_mask(executor, state);
              stream.hidden = executor.cast(stream.input);
            },
            Modality::kAudio};
  }
  const std::string name = prefix + "subsampling";
  return {name, /*correctable=*/false,
          [subsampling = Subsampling(config, name)](Executor& executor, State& state) {
            subsampling.forward(executor, audio_with_mask(executor, state));
          },
          Modality::kAudio};
}

}  // namespace

Network make_conformer(const ConformerConfig& config, const std::string& prefix) {
  constexpr std::int64_t kSomeFrames = 64;  // more than any subsampling merges into one
  Network network;
  network.tower_samples[Modality::kAudio].input =
      input_without_data({1, kSomeFrames, config.num_mel_bins});
  network.stages.push_back(input_stage(config, prefix));
  for (std::int64_t i = 0; i < config.num_hidden_layers; ++i) {
    const ConformerLayer layer = LayerBuilder(config, layer_name(config, prefix, i)).make();
    for (ChannelFold& fold : layer.folds()) network.folds.push_back(std::move(fold));
    network.stages.push_back({layer.name, /*correctable=*/true,
                              [layer](Executor& executor, State& state) {
                                layer.forward(executor, state.stream(Modality::kAudio));
                              },
                              Modality::kAudio});
  }
  return network;
}

std::map<std::string, std::string> conformer_aliases(const ConformerConfig& config,
                                                     const std::string& prefix) {
  std::map<std::string, std::string> aliases;
  if (config.kind != ConformerKind::kTorchaudio) return aliases;
  for (std::int64_t i = 0; i < config.num_hidden_layers; ++i) {
    const std::string name = layer_name(config, prefix, i) + kTorchaudio.attention + ".in_proj";
    aliases[name + ".weight"] = name + "_weight";
    aliases[name + ".bias"] = name + "_bias";
  }
  return aliases;
}

}  // namespace dualpath::modules
