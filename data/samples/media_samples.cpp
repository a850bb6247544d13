#include "data/samples/media_samples.h"

#include <algorithm>

#include "data/base/error.h"
#include "data/text/document_tokens.h"

namespace dualpath::data {
namespace {

std::string hash_of(const MediaFiles& files) {
  std::string hash;
  for (const auto* paths : {&files.images, &files.audio}) {
    for (const std::filesystem::path& path : *paths) hash += sha256_file(path);
  }
  return hash;
}

}  // namespace

bool have_media(std::span<const Document> documents) {
  return std::any_of(documents.begin(), documents.end(), [](const Document& document) {
    return !document.media.images.empty() || !document.media.audio.empty();
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
    if (targets_of(sample.tokens) > 0) samples_.push_back(std::move(sample));
    progress();
  }
  if (samples_.empty()) throw Error("{}: there is no token to predict", documents.front().origin);
}

MediaSamples::Sample MediaSamples::sample_of(const Tokenizer& tokenizer, const Document& document,
                                             std::int64_t window) const {
  Tokens tokens = with_placeholders(tokens_of(tokenizer, document), document.media, *readers_);
  if (!document.is_conversation) append_end(tokenizer, tokens);
  const std::vector<std::int32_t>& ids = tokens.ids;
  const std::size_t kept = std::min(ids.size(), static_cast<std::size_t>(window));
  if (std::any_of(ids.begin() + static_cast<std::ptrdiff_t>(kept), ids.end(),
                  [&](std::int32_t id) { return readers_->is_placeholder(id); }))
    throw Error("its images and audio do not fit into a window of {} tokens", window);
  tokens.resize(kept);
  return {std::move(tokens), document.media, hash_of(document.media)};
}

std::int64_t MediaSamples::targets_of(TokenSpan tokens) const {
  std::int64_t count = 0;
  for (std::size_t i = 1; i < tokens.ids.size(); ++i)
    count += tokens.is_target(i) && !readers_->is_placeholder(tokens.ids[i]);
  return count;
}

Batch MediaSamples::batch(std::span<const std::size_t> chosen) const {
  std::vector<TokenSpan> texts;
  std::vector<const MediaFiles*> files;
  for (const std::size_t i : chosen) {
    texts.push_back(samples_[i].tokens);
    files.push_back(&samples_[i].files);
  }
  return make_batch(texts, files, *readers_);
}

void MediaSamples::update(Sha256& hash) const {
  for (const Sample& sample : samples_) {
    hash.update(std::as_bytes(std::span(sample.tokens.ids)));
    hash.update(std::as_bytes(std::span(sample.files_hash)));
    hash.update(std::as_bytes(std::span(sample.tokens.targets)));
  }
}

}  // namespace dualpath::data
