#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "modules/config/cmal_config.h"
#include "modules/config/conformer_config.h"
#include "modules/config/decoder_config.h"
#include "modules/config/glm4v_vision_config.h"
#include "modules/config/modality.h"
#include "modules/config/vit_config.h"
#include "modules/config/whisper_config.h"

namespace dualpath::modules {

/// An encoder, and the placeholder that its hidden states replace in a decoder's input.
struct Tower {
  Placeholder placeholder;
  std::string name;  ///< the encoder's module path
  std::variant<VitConfig, Glm4vVisionConfig, ConformerConfig, WhisperConfig> encoder;
  struct Alignment {
    std::string name;  ///< its module path
    CmalConfig config;
  };
  std::optional<Alignment> alignment;  ///< none if the encoder makes the decoder's width itself
};

/// A decoder and the towers before it.
struct ModelConfig : DecoderConfig {
  DecoderNames names;
  std::vector<Tower> towers;

  /// Reads and checks a config.json: a decoder's (see DecoderConfig); of model_type glm4v (Hugging
  /// Face's Glm4vForConditionalGeneration, images only); or of model_type dualpath_multimodal, our
  /// own composition of a decoder "text_config" with "vision_config" (a ViT) and "audio_config" (a
  /// Conformer or a Whisper's encoder), one or both. Each of those has a token, "image_token_id"
  /// and "audio_token_id", and a CMAL, "vision_alignment" and "audio_alignment". Their module paths
  /// are language_model and lm_head, vision_tower, audio_tower, vision_alignment and
  /// audio_alignment.
  static ModelConfig from_json(const data::JsonObject& config);
};

}  // namespace dualpath::modules
