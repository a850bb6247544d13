#include "modules/model/media_readers.h"

#include <torch/torch.h>

#include <algorithm>
#include <utility>

#include "data/base/error.h"
#include "data/media/read_audio.h"

namespace dualpath::modules {
namespace {

namespace fs = std::filesystem;

constexpr const char *kTogether = "processor_config.json", *kAlone = "preprocessor_config.json";

/// Reads the configuration of a part: "image_processor" or "feature_extractor".
data::JsonObject config_of(const fs::path& model, const std::string& part) {
  if (fs::exists(model / kTogether)) {
    const auto config = data::JsonObject::read(model / kTogether);
    if (const auto found = config.object_if(part)) return *found;
  }
  if (fs::exists(model / kAlone)) {
    const auto config = data::JsonObject::read(model / kAlone);
    if (config.contains(part + "_type")) return config;
  }
  throw Error("{}: expected {} with \"{}\", or {} with \"{}_type\"", model.string(), kTogether,
              part, kAlone, part);
}

std::int32_t token_of(const Tower& tower) {
  return static_cast<std::int32_t>(tower.placeholder.token_id);
}

/// Remembers counts by size, since finding one runs a tower without data.
template <class Size>
std::function<std::int64_t(Size)> kept(std::function<std::int64_t(Size)> count) {
  const auto counts = std::make_shared<std::vector<std::pair<Size, std::int64_t>>>();
  return [counts, count = std::move(count)](Size size) {
    const auto found = std::find_if(counts->begin(), counts->end(),
                                    [&](const auto& pair) { return pair.first == size; });
    if (found != counts->end()) return found->second;
    return counts->emplace_back(size, count(size)).second;
  };
}

/// The tower's input for an image of that size, without data.
Stream image_without_data(const Stream& sample, data::ImageLayout layout, data::ImageGrid grid) {
  Stream stream;
  if (layout == data::ImageLayout::kPlanes) {
    stream.input = input_without_data({1, sample.input.size(1), grid.rows, grid.columns});
  } else {
    stream.input = input_without_data({1, grid.rows * grid.columns, sample.input.size(2)});
    stream.grid = torch::tensor({grid.rows, grid.columns}).unsqueeze(0);
  }
  return stream;
}

void expect(const Model& model, const char* what, std::int64_t of_processor,
            std::int64_t of_encoder) {
  if (of_processor != of_encoder)
    throw Error("{}: {}: the image processor has {}, the encoder {}", model.path.string(), what,
                of_processor, of_encoder);
}

void expect_layout(const Model& model, const data::ImageProcessorOptions& options,
                   data::ImageLayout layout) {
  if (options.layout != layout)
    throw Error("{}: the image processor is not of the encoder's kind", model.path.string());
  if (layout == data::ImageLayout::kPlanes && !options.do_resize)
    throw Error("{}: do_resize: expected true, since pictures lie side by side, got false",
                model.path.string());
}

/// Checks the settings on which an encoder and its image processor must agree.
void check_agreement(const Model& model, const data::ImageProcessorOptions& options,
                     const Tower& tower) {
  constexpr std::int64_t kColors = 3;
  if (const auto* vit = std::get_if<VitConfig>(&tower.encoder)) {
    expect_layout(model, options, data::ImageLayout::kPlanes);
    expect(model, "num_channels", kColors, vit->num_channels);
  }
  if (const auto* glm4v = std::get_if<Glm4vVisionConfig>(&tower.encoder)) {
    expect_layout(model, options, data::ImageLayout::kPatches);
    expect(model, "in_channels", kColors, glm4v->num_channels);
    expect(model, "patch_size", options.patch_size, glm4v->patch_size);
    expect(model, "merge_size", options.merge_size, glm4v->spatial_merge_size);
    expect(model, "temporal_patch_size", options.temporal_patch_size(), glm4v->temporal_patch_size);
  }
}

data::ImageReader image_reader(const Model& model, const Tower& tower) {
  const auto processor = data::ImageProcessor::from_json(config_of(model.path, "image_processor"));
  check_agreement(model, processor.options(), tower);
  const auto tokens = [network = model.network,
                       layout = processor.options().layout](data::ImageGrid grid) {
    const Stream& sample = network.tower_samples.at(Modality::kImage);
    return hidden_states(network, Modality::kImage, image_without_data(sample, layout, grid));
  };
  return {processor, token_of(tower), kept<data::ImageGrid>(tokens)};
}

data::AudioReader audio_reader(const Model& model, const Tower& tower) {
  const auto options = data::LogMelOptions::from_json(config_of(model.path, "feature_extractor"));
  const std::int64_t bins = model.network.tower_samples.at(Modality::kAudio).input.size(2);
  if (options.feature_size != bins)
    throw Error("{}: the feature extractor makes {} mel bands, the encoder takes {}",
                model.path.string(), options.feature_size, bins);
  if (options.sampling_rate != data::kAudioRate)
    throw Error("{}: sampling_rate: expected {} Hz, got {}", model.path.string(), data::kAudioRate,
                options.sampling_rate);
  const data::LogMel log_mel(options);
  if (const auto* whisper = std::get_if<WhisperConfig>(&tower.encoder);
      whisper && log_mel.chunk_frames() != whisper->max_frames())
    throw Error("{}: the feature extractor makes {} frames of a clip, the encoder takes {}",
                model.path.string(), log_mel.chunk_frames(), whisper->max_frames());
  const auto tokens = [network = model.network, bins](std::int64_t frames) {
    Stream stream;
    stream.input = input_without_data({1, frames, bins});
    return hidden_states(network, Modality::kAudio, stream);
  };
  return {log_mel, token_of(tower), kept<std::int64_t>(tokens)};
}

}  // namespace

data::MediaReaders media_readers(const Model& model) {
  data::MediaReaders readers;
  for (const Tower& tower : model.config.towers) {
    const Modality modality = tower.placeholder.modality;
    if (modality == Modality::kImage) readers.image = image_reader(model, tower);
    if (modality == Modality::kAudio) readers.audio = audio_reader(model, tower);
  }
  return readers;
}

void require_no_placeholder(const Model& model, std::span<const std::int32_t> ids) {
  for (const Tower& tower : model.config.towers) {
    if (std::find(ids.begin(), ids.end(), token_of(tower)) != ids.end())
      throw Error("the text has {} tokens (id {}), but no {} file is named",
                  name_of(tower.placeholder.modality), token_of(tower),
                  name_of(tower.placeholder.modality));
  }
}

}  // namespace dualpath::modules
