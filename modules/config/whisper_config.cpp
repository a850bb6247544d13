#include "modules/config/whisper_config.h"

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "data/base/error.h"
#include "modules/config/config_keys.h"
#include "modules/config/encoder_config.h"

namespace dualpath::modules {
namespace {

using data::JsonObject;

constexpr std::array<std::pair<const char*, WhisperClass>, 3> kWhisperClasses{{
    {"WhisperEncoder", WhisperClass::kEncoder},
    {"WhisperModel", WhisperClass::kModel},
    {"WhisperForConditionalGeneration", WhisperClass::kConditionalGeneration},
}};

/// Other classes (WhisperForAudioClassification) have heads on the encoder.
WhisperClass class_of(const JsonObject& config) {
  if (!config.contains("architectures")) return WhisperClass::kEncoder;
  const std::vector<std::string> classes = config.strings("architectures");
  for (const auto& [name, saved] : kWhisperClasses) {
    if (classes.size() == 1 && classes.front() == name) return saved;
  }
  throw Error(
      "{}: architectures: expected WhisperEncoder, WhisperModel or "
      "WhisperForConditionalGeneration, got \"{}\"",
      config.where(), classes.empty() ? "" : printable(classes.front()));
}

}  // namespace

WhisperConfig WhisperConfig::from_json(const JsonObject& config) {
  const std::string type = config.string("model_type");
  if (type != "whisper")
    throw Error("{}: model_type: expected whisper, got \"{}\"", config.where(), printable(type));
  refuse_other_arithmetic(config);
  WhisperConfig c;
  c.hidden_size = config.integer_or("d_model", c.hidden_size, kEncoderSize);
  c.intermediate_size = config.integer_or("encoder_ffn_dim", c.intermediate_size, kEncoderSize);
  c.num_hidden_layers = config.integer_or("encoder_layers", c.num_hidden_layers, kEncoderCount);
  c.num_attention_heads =
      config.integer_or("encoder_attention_heads", c.num_attention_heads, kEncoderCount);
  c.num_mel_bins = config.integer_or("num_mel_bins", c.num_mel_bins, kEncoderCount);
  c.max_source_positions =
      config.integer_or("max_source_positions", c.max_source_positions, kEncoderSize);
  c.activation = activation_named(config.string_or("activation_function", "gelu"), config.where());
  c.saved_as = class_of(config);
  check_heads(config, c.hidden_size, c.num_attention_heads);
  // transformers' other names of the same sizes
  require_same(config, "hidden_size", c.hidden_size);
  require_same(config, "num_hidden_layers", c.num_hidden_layers);
  require_same(config, "num_attention_heads", c.num_attention_heads);
  require_same(config, "num_key_value_heads", c.num_attention_heads);
  return c;
}

}  // namespace dualpath::modules
