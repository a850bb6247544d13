#pragma once

#include <cstdint>

#include "data/formats/json.h"
#include "modules/config/activation.h"

namespace dualpath::modules {

/// The class of transformers that saved a Whisper. Its encoder's tensors have other beginnings in
/// each.
enum class WhisperClass {
  kEncoder,               ///< WhisperEncoder: "conv1.weight"
  kModel,                 ///< WhisperModel: "encoder.conv1.weight", the decoder beside it
  kConditionalGeneration  ///< WhisperForConditionalGeneration: "model.encoder.conv1.weight"
};

/// The encoder of a Whisper (Radford et al. 2023). The decoder's sizes are not read.
struct WhisperConfig {
  std::int64_t hidden_size = 384, intermediate_size = 1536;
  std::int64_t num_hidden_layers = 4, num_attention_heads = 6;
  std::int64_t num_mel_bins = 80;
  std::int64_t max_source_positions = 1500;  ///< hidden states; frames are twice as many
  Activation activation = Activation::kGelu;
  WhisperClass saved_as = WhisperClass::kEncoder;

  std::int64_t max_frames() const { return 2 * max_source_positions; }

  /// Reads and checks a config.json of model_type whisper. "architectures" names the class; if it
  /// is absent, the encoder is taken to lie there alone.
  static WhisperConfig from_json(const data::JsonObject& config);
};

}  // namespace dualpath::modules
