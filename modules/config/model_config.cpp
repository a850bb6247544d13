#include "modules/config/model_config.h"

#include <algorithm>
#include <array>

#include "data/base/error.h"
#include "modules/config/config_keys.h"

namespace dualpath::modules {
namespace {

using data::JsonObject;

/// Reads whether the head is tied. With encoders, the whole configuration says so or, in older
/// files, the decoder's part.
void read_tie(const JsonObject& config, ModelConfig& c) {
  c.tie_word_embeddings |= config.boolean_or("tie_word_embeddings", false);
}

ModelConfig read_glm4v(const JsonObject& config) {
  refuse_other_arithmetic(config);
  ModelConfig c{
      DecoderConfig::from_json(config.object("text_config")), {.body = "model.language_model"}, {}};
  read_tie(config, c);
  const JsonObject vision = config.object("vision_config");
  const Placeholder image{Modality::kImage, config.integer_or("image_token_id", 151343)};
  const auto encoder = Glm4vVisionConfig::from_json(vision);
  if (encoder.out_hidden_size != c.hidden_size)
    throw Error("{}: out_hidden_size: expected the decoder's hidden_size {}, got {}",
                vision.where(), c.hidden_size, encoder.out_hidden_size);
  c.towers.push_back({image, "model.visual", encoder, std::nullopt});
  return c;
}

using AnyEncoder = decltype(Tower::encoder);

AnyEncoder read_image_encoder(const JsonObject& config) { return VitConfig::from_json(config); }

AnyEncoder read_audio_encoder(const JsonObject& config) {
  const std::string type = config.string("model_type");
  if (type == "whisper") return WhisperConfig::from_json(config);
  if (type == "parakeet_encoder" || type == "conformer") return ConformerConfig::from_json(config);
  throw Error("{}: model_type: expected parakeet_encoder, conformer or whisper, got \"{}\"",
              config.where(), printable(type));
}

/// One modality's part of our own composition, e.g. "vision" and "image".
void read_tower(const JsonObject& config, const std::string& part, const std::string& modality_name,
                Modality modality, AnyEncoder (*read_encoder)(const JsonObject&), ModelConfig& c) {
  const auto encoder = config.object_if(part + "_config");
  if (!encoder) return;
  const Placeholder placeholder{
      modality, config.integer(modality_name + "_token_id", {.low = 0, .high = c.vocab_size - 1})};
  const auto alignment = CmalConfig::from_json(config.object(part + "_alignment"), c.hidden_size);
  c.towers.push_back({placeholder, part + "_tower", read_encoder(*encoder),
                      Tower::Alignment{part + "_alignment", alignment}});
}

ModelConfig read_composition(const JsonObject& config) {
  require_known_or_general_keys(
      config, {"text_config", "tie_word_embeddings", "vision_config", "image_token_id",
               "vision_alignment", "audio_config", "audio_token_id", "audio_alignment"});
  ModelConfig c{
      DecoderConfig::from_json(config.object("text_config")), {.body = "language_model"}, {}};
  read_tie(config, c);
  read_tower(config, "vision", "image", Modality::kImage, read_image_encoder, c);
  read_tower(config, "audio", "audio", Modality::kAudio, read_audio_encoder, c);
  if (c.towers.empty()) throw Error("{}: expected vision_config or audio_config", config.where());
  if (c.towers.size() == 2 && c.towers[0].placeholder.token_id == c.towers[1].placeholder.token_id)
    throw Error("{}: image_token_id and audio_token_id are the same", config.where());
  return c;
}

/// Refuses an encoder alone, which makes no text.
void refuse_encoder(const JsonObject& config, const std::string& type) {
  constexpr std::array kEncoders{"vit", "dinov2", "parakeet_encoder", "conformer", "whisper"};
  if (std::find(kEncoders.begin(), kEncoders.end(), type) != kEncoders.end())
    throw Error(
        "{}: model_type: {} is an encoder's; expected a decoder's, or dualpath_multimodal with the "
        "encoder as its vision_config or audio_config",
        config.where(), type);
}

}  // namespace

ModelConfig ModelConfig::from_json(const JsonObject& config) {
  const std::string type = config.string_or("model_type", "");
  refuse_encoder(config, type);
  if (type == "glm4v") return read_glm4v(config);
  if (type == "dualpath_multimodal") return read_composition(config);
  return {DecoderConfig::from_json(config), {}, {}};
}

}  // namespace dualpath::modules
