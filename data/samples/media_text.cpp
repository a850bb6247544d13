#include "data/samples/media_text.h"

#include <torch/torch.h>

#include <algorithm>
#include <utility>

#include "data/base/error.h"
#include "data/media/read_audio.h"
#include "data/media/read_image.h"

namespace dualpath::data {
namespace {

namespace fs = std::filesystem;

/// Repeats each placeholder as often as `counts` says, in order. kind: the kind of file, for
/// errors.
Tokens expanded(const Tokens& tokens, std::int32_t placeholder,
                const std::vector<std::int64_t>& counts, const char* kind) {
  const auto& [ids, targets] = tokens;
  const auto found = static_cast<std::size_t>(std::count(ids.begin(), ids.end(), placeholder));
  if (found != counts.size())
    throw Error("the text has {} {} tokens (id {}), but {} {} files are named", found, kind,
                placeholder, counts.size(), kind);
  Tokens result;
  auto count = counts.begin();
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const std::size_t times = ids[i] == placeholder ? static_cast<std::size_t>(*count++) : 1;
    result.ids.insert(result.ids.end(), times, ids[i]);
    if (!targets.empty()) result.targets.insert(result.targets.end(), times, targets[i]);
  }
  return result;
}

template <class Reader, class Size>
Tokens expanded(Tokens tokens, const std::optional<Reader>& reader, const std::vector<Size>& sizes,
                const char* kind) {
  if (!reader) return tokens;
  std::vector<std::int64_t> counts;
  for (const Size& size : sizes) counts.push_back(reader->tokens(size));
  return expanded(tokens, reader->token_id, counts, kind);
}

ImageGrid grid_of(const MediaFile& file, const MediaReaders& readers) {
  const Image image = read_image(file);
  if (!readers.image) return {image.height, image.width};
  return readers.image->processor.grid(image.width, image.height);
}

}  // namespace

bool MediaReaders::is_placeholder(std::int32_t id) const {
  return (image && id == image->token_id) || (audio && id == audio->token_id);
}

MediaSizes read_sizes(const MediaFiles& files, const MediaReaders& readers) {
  MediaSizes sizes;
  for (const MediaFile& file : files.images) sizes.images.push_back(grid_of(file, readers));
  for (const fs::path& file : files.audio) {
    const std::vector<std::vector<float>> clip{read_audio(file)};
    const std::int64_t samples = std::ssize(clip.front());
    sizes.seconds += static_cast<double>(samples) / kAudioRate;
    sizes.clips.push_back(
        readers.audio ? readers.audio->log_mel(clip).mask.sum().item<std::int64_t>() : samples);
  }
  return sizes;
}

void require_taken(const MediaFiles& files, const MediaReaders& readers) {
  const auto require = [](bool is_taken, bool is_empty, const char* kind) {
    if (!is_taken && !is_empty) throw Error("{} files are named, but the model takes none", kind);
  };
  require(readers.image.has_value(), files.images.empty(), "image");
  require(readers.audio.has_value(), files.audio.empty(), "audio");
}

Tokens with_placeholders(Tokens tokens, const MediaSizes& sizes, const MediaReaders& readers) {
  return expanded(expanded(std::move(tokens), readers.image, sizes.images, "image"), readers.audio,
                  sizes.clips, "audio");
}

Tokens with_placeholders(Tokens tokens, const MediaFiles& files, const MediaReaders& readers) {
  require_taken(files, readers);
  return with_placeholders(std::move(tokens), read_sizes(files, readers), readers);
}

TowerBatches tower_batches(std::span<const MediaFiles* const> files, const MediaReaders& readers) {
  std::vector<PreparedImage> images;
  std::vector<std::vector<float>> clips;
  for (const MediaFiles* of_text : files) {
    for (const MediaFile& file : of_text->images)
      images.push_back(readers.image->processor(read_image(file)));
    for (const fs::path& file : of_text->audio) clips.push_back(read_audio(file));
  }
  TowerBatches batches;
  if (!images.empty()) batches.images = batch_of(images, readers.image->processor.options().layout);
  if (!clips.empty()) batches.audio = batch_of(readers.audio->log_mel(clips));
  return batches;
}

Batch make_batch(std::span<const TokenSpan> texts, std::span<const MediaFiles* const> files,
                 const MediaReaders& readers) {
  Batch batch = make_batch(texts);
  auto [images, audio] = tower_batches(files, readers);
  batch.images = std::move(images);
  batch.audio = std::move(audio);
  const auto no_target = [&](std::int32_t token_id) {
    batch.targets.masked_fill_(batch.targets == token_id, kNoTarget);
  };
  if (readers.image) no_target(readers.image->token_id);
  if (readers.audio) no_target(readers.audio->token_id);
  return batch;
}

}  // namespace dualpath::data
