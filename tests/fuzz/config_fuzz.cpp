#include <nlohmann/json.hpp>

#include "data/media/image_processor_options.h"
#include "modules/config/conformer_config.h"
#include "modules/config/decoder_config.h"
#include "modules/config/model_config.h"
#include "modules/config/vit_config.h"
#include "modules/config/whisper_config.h"
#include "tests/fuzz/target.h"

using namespace dualpath;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::judge(data, size, [](std::string_view content) {
    modules::ConformerConfig::from_json(data::JsonObject::parse(content, "config.json"));
  });
  fuzz::judge(data, size, [](std::string_view content) {
    modules::VitConfig::from_json(data::JsonObject::parse(content, "config.json"));
  });
  fuzz::judge(data, size, [](std::string_view content) {
    modules::WhisperConfig::from_json(data::JsonObject::parse(content, "config.json"));
  });
  fuzz::judge(data, size, [](std::string_view content) {
    data::ImageProcessorOptions::from_json(data::JsonObject::parse(content, "config.json"));
  });
  fuzz::judge(data, size, [](std::string_view content) {
    modules::ModelConfig::from_json(data::JsonObject::parse(content, "config.json"));
  });
  return fuzz::judge(data, size, [](std::string_view content) {
    const auto json = data::JsonObject::parse(content, "config.json");
    modules::DecoderConfig::from_json(json).to_json();
  });
}
