#include "trainer/media_readers.h"

#include <torch/torch.h>

#include <algorithm>
#include <utility>

#include "data/base/error.h"

namespace dualpath::trainer {
namespace {

namespace fs = std::filesystem;
using modules::Modality;

constexpr const char *kTogether = "processor_config.json", *kAlone = "preprocessor_config.json";

/// part: "image_processor" or "feature_extractor".
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

/// Counts by size: finding one runs a tower without data.
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

/// An image of that size as the tower's first stage takes it, without data.
modules::Stream image_without_data(const modules::Stream& sample, data::ImageLayout layout,
                                   data::ImageGrid grid) {
  modules::Stream stream;
  if (layout == data::ImageLayout::kPlanes) {
    stream.input = modules::input_without_data({1, sample.input.size(1), grid.rows, grid.columns});
  } else {
    stream.input = modules::input_without_data({1, grid.rows * grid.columns, sample.input.size(2)});
    stream.grid = torch::tensor({grid.rows, grid.columns}).unsqueeze(0);
  }
  return stream;
}

data::ImageReader image_reader(const modules::Model& model, std::int64_t token_id) {
  const auto processor = data::ImageProcessor::from_json(config_of(model.path, "image_processor"));
  const auto tokens = [network = model.network, layout = processor.layout()](data::ImageGrid grid) {
    const modules::Stream& sample = network.tower_samples.at(Modality::kImage);
    return modules::hidden_states(network, Modality::kImage,
                                  image_without_data(sample, layout, grid));
  };
  return {processor, static_cast<std::int32_t>(token_id), kept<data::ImageGrid>(tokens)};
}

data::AudioReader audio_reader(const modules::Model& model, std::int64_t token_id) {
  const auto options = data::LogMelOptions::from_json(config_of(model.path, "feature_extractor"));
  const std::int64_t bins = model.network.tower_samples.at(Modality::kAudio).input.size(2);
  if (options.feature_size != bins)
    throw Error("{}: the feature extractor makes {} mel bands, the encoder takes {}",
                model.path.string(), options.feature_size, bins);
  const auto tokens = [network = model.network, bins](std::int64_t frames) {
    modules::Stream stream;
    stream.input = modules::input_without_data({1, frames, bins});
    return modules::hidden_states(network, Modality::kAudio, stream);
  };
  return {data::LogMel(options), static_cast<std::int32_t>(token_id), kept<std::int64_t>(tokens)};
}

}  // namespace

data::MediaReaders media_readers(const modules::Model& model) {
  data::MediaReaders readers;
  for (const modules::Tower& tower : model.config.towers) {
    const auto [modality, token_id] = tower.placeholder;
    if (modality == Modality::kImage) readers.image = image_reader(model, token_id);
    if (modality == Modality::kAudio) readers.audio = audio_reader(model, token_id);
  }
  return readers;
}

}  // namespace dualpath::trainer
