#include "data/samples/media_text.h"

#include <torch/torch.h>

#include <algorithm>

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

std::int64_t token_count(const ImageReader& reader, const fs::path& file) {
  const Image image = read_image(file);
  return reader.tokens(reader.processor.grid(image.width, image.height));
}

std::int64_t token_count(const AudioReader& reader, const fs::path& file) {
  const std::vector<std::vector<float>> clip{read_audio(file)};
  return reader.tokens(reader.log_mel(clip).mask.sum().item<std::int64_t>());
}

template <class Reader>
Tokens expanded(Tokens tokens, const std::optional<Reader>& reader,
                const std::vector<fs::path>& files, const char* kind) {
  if (!reader) {
    if (!files.empty()) throw Error("{} files are named, but the model takes none", kind);
    return tokens;
  }
  std::vector<std::int64_t> counts;
  for (const fs::path& file : files) counts.push_back(token_count(*reader, file));
  return expanded(tokens, reader->token_id, counts, kind);
}

}  // namespace

bool MediaReaders::is_placeholder(std::int32_t id) const {
  return (image && id == image->token_id) || (audio && id == audio->token_id);
}

Tokens with_placeholders(Tokens tokens, const MediaFiles& files, const MediaReaders& readers) {
  return expanded(expanded(std::move(tokens), readers.image, files.images, "image"), readers.audio,
                  files.audio, "audio");
}

Batch make_batch(std::span<const TokenSpan> texts, std::span<const MediaFiles* const> files,
                 const MediaReaders& readers) {
  Batch batch = make_batch(texts);
  std::vector<PreparedImage> images;
  std::vector<std::vector<float>> clips;
  for (const MediaFiles* of_text : files) {
    for (const fs::path& file : of_text->images)
      images.push_back(readers.image->processor(read_image(file)));
    for (const fs::path& file : of_text->audio) clips.push_back(read_audio(file));
  }
  if (!images.empty()) batch.images = batch_of(images, readers.image->processor.options().layout);
  if (!clips.empty()) batch.audio = batch_of(readers.audio->log_mel(clips));
  const auto no_target = [&](std::int32_t token_id) {
    batch.targets.masked_fill_(batch.targets == token_id, kNoTarget);
  };
  if (readers.image) no_target(readers.image->token_id);
  if (readers.audio) no_target(readers.audio->token_id);
  return batch;
}

}  // namespace dualpath::data
