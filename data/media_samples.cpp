#include "data/media_samples.h"

#include <torch/torch.h>

#include <algorithm>

#include "data/base/error.h"
#include "data/media/read_audio.h"
#include "data/media/read_image.h"

namespace dualpath::data {
namespace {

namespace fs = std::filesystem;

/// Repeats each placeholder as often as `counts` says, in order. kind: what they stand for.
std::vector<std::int32_t> expanded(const std::vector<std::int32_t>& ids, std::int32_t placeholder,
                                   const std::vector<std::int64_t>& counts, const char* kind) {
  const auto found = static_cast<std::size_t>(std::count(ids.begin(), ids.end(), placeholder));
  if (found != counts.size())
    throw Error("the text has {} {} tokens (id {}), but {} {} files are named", found, kind,
                placeholder, counts.size(), kind);
  std::vector<std::int32_t> result;
  auto count = counts.begin();
  for (const std::int32_t id : ids)
    result.insert(result.end(), id == placeholder ? static_cast<std::size_t>(*count++) : 1, id);
  return result;
}

std::vector<std::int64_t> token_counts(const ImageReader& reader, std::span<const fs::path> files) {
  std::vector<std::int64_t> counts;
  for (const fs::path& file : files) {
    const Image image = read_image(file);
    counts.push_back(reader.tokens(reader.processor.grid(image.width, image.height)));
  }
  return counts;
}

std::vector<std::int64_t> token_counts(const AudioReader& reader, std::span<const fs::path> files) {
  std::vector<std::int64_t> counts;
  for (const fs::path& file : files) {
    const std::vector<std::vector<float>> clip{read_audio(file)};
    counts.push_back(reader.tokens(reader.log_mel(clip).mask.sum().item<std::int64_t>()));
  }
  return counts;
}

template <class Reader>
std::vector<std::int32_t> read(const std::optional<Reader>& reader,
                               const std::vector<fs::path>& files,
                               const std::vector<std::int32_t>& ids, const char* kind) {
  if (reader) return expanded(ids, reader->token_id, token_counts(*reader, files), kind);
  if (!files.empty()) throw Error("{} files are named, but the model takes none", kind);
  return ids;
}

std::string hash_of(const std::vector<fs::path>& images, const std::vector<fs::path>& audio) {
  std::string hash;
  for (const auto* files : {&images, &audio}) {
    for (const fs::path& file : *files) hash += sha256_file(file);
  }
  return hash;
}

}  // namespace

bool have_media(std::span<const Document> documents) {
  return std::any_of(documents.begin(), documents.end(), [](const Document& document) {
    return !document.images.empty() || !document.audio.empty();
  });
}

MediaSamples::MediaSamples(const Tokenizer& tokenizer, std::span<const Document> documents,
                           std::int64_t window, std::shared_ptr<const MediaReaders> readers,
                           const std::function<void()>& progress)
    : readers_(std::move(readers)) {
  for (const Document& document : documents) {
    Sample sample;
    try {
      sample = sample_of(tokenizer, document, window);
    } catch (const Error& error) {
      throw Error("{}: {}", document.origin, error.what());
    }
    if (has_target(sample)) samples_.push_back(std::move(sample));
    progress();
  }
  if (samples_.empty()) throw Error("{}: there is no token to predict", documents.front().origin);
}

MediaSamples::Sample MediaSamples::sample_of(const Tokenizer& tokenizer, const Document& document,
                                             std::int64_t window) const {
  std::vector<std::int32_t> ids = tokenizer.encode(document.text);
  ids = read(readers_->image, document.images, ids, "image");
  ids = read(readers_->audio, document.audio, ids, "audio");
  if (const auto end = tokenizer.special_tokens().eos) ids.push_back(*end);
  const auto kept =
      static_cast<std::ptrdiff_t>(std::min(ids.size(), static_cast<std::size_t>(window)));
  if (std::any_of(ids.begin() + kept, ids.end(), [&](auto id) { return is_placeholder(id); }))
    throw Error("its images and audio do not fit into a window of {} tokens", window);
  ids.resize(static_cast<std::size_t>(kept));
  return {std::move(ids), document.images, document.audio,
          hash_of(document.images, document.audio)};
}

bool MediaSamples::is_placeholder(std::int32_t id) const {
  const auto& [image, audio] = *readers_;
  return (image && id == image->token_id) || (audio && id == audio->token_id);
}

bool MediaSamples::has_target(const Sample& sample) const {
  return sample.ids.size() > 1 && !std::all_of(sample.ids.begin() + 1, sample.ids.end(),
                                               [&](std::int32_t id) { return is_placeholder(id); });
}

std::int64_t MediaSamples::length() const {
  std::size_t tokens = 0;
  for (const Sample& sample : samples_) tokens += sample.ids.size();
  return static_cast<std::int64_t>((tokens + samples_.size() - 1) / samples_.size());
}

Batch MediaSamples::batch(std::span<const std::size_t> chosen) const {
  std::vector<std::span<const std::int32_t>> texts;
  std::vector<PreparedImage> images;
  std::vector<std::vector<float>> clips;
  for (const std::size_t i : chosen) {
    const Sample& sample = samples_[i];
    texts.push_back(sample.ids);
    for (const fs::path& file : sample.images)
      images.push_back(readers_->image->processor(read_image(file)));
    for (const fs::path& file : sample.audio) clips.push_back(read_audio(file));
  }
  Batch batch = make_batch(texts);
  const auto no_target = [&](std::int32_t token_id) {
    batch.targets.masked_fill_(batch.targets == token_id, kNoTarget);
  };
  if (readers_->image) no_target(readers_->image->token_id);
  if (readers_->audio) no_target(readers_->audio->token_id);
  if (!images.empty()) batch.images = batch_of(images, readers_->image->processor.layout());
  if (!clips.empty()) batch.audio = batch_of(readers_->audio->log_mel(clips));
  return batch;
}

void MediaSamples::update(Sha256& hash) const {
  for (const Sample& sample : samples_) {
    hash.update(std::as_bytes(std::span(sample.ids)));
    hash.update(std::as_bytes(std::span(sample.media_hash)));
  }
}

}  // namespace dualpath::data
