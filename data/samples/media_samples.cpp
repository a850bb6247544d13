#include "data/samples/media_samples.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "data/base/error.h"
#include "data/process/threads.h"
#include "data/text/document_tokens.h"

namespace dualpath::data {
namespace {

constexpr std::uint64_t kMaxMediaBytes = std::uint64_t{256} << 20;

std::string hash_of(const MediaFiles& files) {
  std::string hash;
  for (const MediaFile& image : files.images) {
    if (!image.base64) {
      hash += sha256_file(image.path);
    } else {
      const std::string bytes = read_bytes(image, kMaxMediaBytes);
      hash += sha256_hex(std::as_bytes(std::span(bytes)));
    }
  }
  for (const std::filesystem::path& clip : files.audio) hash += sha256_file(clip);
  return hash;
}

/// The files of a document, read; or the Error that this met.
struct ReadFiles {
  MediaSizes sizes = {};
  std::string hash = {};
  std::exception_ptr failure = {};
};

ReadFiles read_files(const MediaFiles& files, const MediaReaders& readers) noexcept {
  ReadFiles read;
  try {
    require_taken(files, readers);
    read.sizes = read_sizes(files, readers);
    read.hash = hash_of(files);
  } catch (...) {
    read.failure = std::current_exception();
  }
  return read;
}

}  // namespace

bool have_media(std::span<const Document> documents) {
  return std::any_of(documents.begin(), documents.end(), [](const Document& document) {
    return !document.media.images.empty() || !document.media.audio.empty();
  });
}

std::optional<Tokens> tokens_within(const Tokenizer& tokenizer, const Document& document,
                                    const MediaSizes& sizes, const MediaReaders& readers,
                                    std::int64_t window) {
  Tokens tokens = with_placeholders(tokens_of(tokenizer, document), sizes, readers);
  if (!document.is_conversation) append_end(tokenizer, tokens);
  const std::vector<std::int32_t>& ids = tokens.ids;
  const std::size_t kept = std::min(ids.size(), static_cast<std::size_t>(window));
  if (std::any_of(ids.begin() + static_cast<std::ptrdiff_t>(kept), ids.end(),
                  [&](std::int32_t id) { return readers.is_placeholder(id); }))
    return std::nullopt;
  tokens.resize(kept);
  return tokens;
}

std::int64_t count_targets(TokenSpan tokens, const MediaReaders& readers) {
  std::int64_t count = 0;
  for (std::size_t i = 1; i < tokens.ids.size(); ++i)
    count += tokens.is_target(i) && !readers.is_placeholder(tokens.ids[i]);
  return count;
}

MediaSamples::MediaSamples(const Tokenizer& tokenizer, std::span<const Document> documents,
                           std::int64_t window, std::shared_ptr<const MediaReaders> readers,
                           const std::function<void()>& progress)
    : readers_(std::move(readers)) {
  std::vector<ReadFiles> read(documents.size());
  for_each_in_threads(
      documents.size(), [&](std::size_t i) { read[i] = read_files(documents[i].media, *readers_); },
      [&](std::size_t ended) {
        for (; ended > 0; --ended) progress();
      });
  for (std::size_t i = 0; i < documents.size(); ++i) {
    try {
      if (read[i].failure) std::rethrow_exception(read[i].failure);
      add(tokenizer, documents[i], read[i].sizes, std::move(read[i].hash), window);
    } catch (const Error& error) {
      throw Error("{}: {}", documents[i].origin, error.what());
    }
  }
  if (!samples_.empty()) return;
  if (left_out_.too_long > 0)
    throw Error("{}: its images and audio do not fit into a window of {} tokens",
                left_out_.first_too_long, window);
  throw Error("{}: there is no token to predict", documents.front().origin);
}

void MediaSamples::add(const Tokenizer& tokenizer, const Document& document,
                       const MediaSizes& sizes, std::string files_hash, std::int64_t window) {
  auto tokens = tokens_within(tokenizer, document, sizes, *readers_, window);
  if (!tokens) {
    if (left_out_.too_long++ == 0) left_out_.first_too_long = document.origin;
  } else if (count_targets(*tokens, *readers_) == 0) {
    ++left_out_.without_target;
  } else {
    samples_.push_back({std::move(*tokens), document.media, std::move(files_hash)});
  }
}

void MediaSamples::update(Sha256& hash) const {
  for (const OwnSample& sample : samples_) {
    hash.update(std::as_bytes(std::span(sample.tokens.ids)));
    hash.update(std::as_bytes(std::span(sample.files_hash)));
    hash.update(std::as_bytes(std::span(sample.tokens.targets)));
  }
}

}  // namespace dualpath::data
