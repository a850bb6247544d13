#include "modules/config/conformer_config.h"

#include <bit>
#include <string>

#include "data/base/error.h"
#include "modules/config/config_keys.h"
#include "modules/config/encoder_config.h"

namespace dualpath::modules {
namespace {

using data::JsonObject;

/// Counts the halvings in a factor of 2, 4, 8, …
std::int64_t halvings_of(std::int64_t factor, const std::string& where) {
  const auto bits = static_cast<std::uint64_t>(factor);
  if (factor < 2 || !std::has_single_bit(bits))
    throw Error("{}: subsampling_factor: expected a power of 2, got {}", where, factor);
  return std::countr_zero(bits);
}

ConformerConfig read_parakeet(const JsonObject& config) {
  refuse_other_arithmetic(config);
  ConformerConfig c;
  c.num_mel_bins = config.integer_or("num_mel_bins", 80, kEncoderSize);
  c.hidden_size = config.integer_or("hidden_size", 1024, kEncoderSize);
  c.intermediate_size = config.integer_or("intermediate_size", 4096, kEncoderSize);
  c.num_hidden_layers = config.integer_or("num_hidden_layers", 24, kEncoderCount);
  c.num_attention_heads = config.integer_or("num_attention_heads", 8, kEncoderCount);
  check_heads(config, c.hidden_size, c.num_attention_heads);
  require_same(config, "num_key_value_heads", c.num_attention_heads);
  require_same(config, "head_dim", c.head_dim());
  c.conv_kernel_size = config.integer_or("conv_kernel_size", 9, kEncoderCount);
  c.activation = activation_named(config.string_or("hidden_act", "silu"), config.where());
  c.attention_bias = config.boolean_or("attention_bias", true);
  c.convolution_bias = config.boolean_or("convolution_bias", true);
  c.scale_input = config.boolean_or("scale_input", true);
  const std::int64_t factor = config.integer_or("subsampling_factor", 8, kEncoderCount);
  c.subsampling = {
      .halvings = halvings_of(factor, config.where()),
      .channels = config.integer_or("subsampling_conv_channels", 256, kEncoderSize),
      .kernel_size = config.integer_or("subsampling_conv_kernel_size", 3, kEncoderCount),
      .stride = config.integer_or("subsampling_conv_stride", 2, kEncoderCount)};
  return c;
}

ConformerConfig read_torchaudio(const JsonObject& config) {
  require_known_or_general_keys(
      config, {"input_dim", "num_heads", "ffn_dim", "num_layers", "depthwise_conv_kernel_size",
               "dropout", "use_group_norm", "convolution_first"});
  if (config.boolean_or("use_group_norm", false))
    throw Error("{}: use_group_norm: expected false, got true", config.where());
  ConformerConfig c;
  c.kind = ConformerKind::kTorchaudio;
  c.num_mel_bins = c.hidden_size = config.integer("input_dim", kEncoderSize);
  c.intermediate_size = config.integer("ffn_dim", kEncoderSize);
  c.num_hidden_layers = config.integer("num_layers", kEncoderCount);
  c.num_attention_heads = config.integer("num_heads", kEncoderCount);
  check_heads(config, c.hidden_size, c.num_attention_heads);
  c.conv_kernel_size = config.integer("depthwise_conv_kernel_size", kEncoderCount);
  c.convolution_first = config.boolean_or("convolution_first", false);
  return c;
}

}  // namespace

ConformerConfig ConformerConfig::from_json(const JsonObject& config) {
  const std::string type = config.string("model_type");
  if (type != "parakeet_encoder" && type != "conformer") {
    throw Error("{}: model_type: expected parakeet_encoder or conformer, got \"{}\"",
                config.where(), type);
  }
  const ConformerConfig c = type == "conformer" ? read_torchaudio(config) : read_parakeet(config);
  if (c.conv_kernel_size % 2 == 0) {
    throw Error("{}: expected a convolution over an odd number of frames, got {}", config.where(),
                c.conv_kernel_size);
  }
  return c;
}

}  // namespace dualpath::modules
