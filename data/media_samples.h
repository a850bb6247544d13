#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/log_mel.h"
#include "data/media/image_processor.h"
#include "data/samples.h"
#include "data/text.h"
#include "data/tokenizer.h"

namespace dualpath::data {

/// How a model takes images: the token that stands for one in a text is repeated as often as
/// `tokens` says of what the processor makes of it.
struct ImageReader {
  ImageProcessor processor;
  std::int32_t token_id = 0;
  std::function<std::int64_t(ImageGrid)> tokens;
};

/// How a model takes clips; tokens: by a clip's frames.
struct AudioReader {
  LogMel log_mel;
  std::int32_t token_id = 0;
  std::function<std::int64_t(std::int64_t)> tokens;
};

/// Nothing where the model takes none of them.
struct MediaReaders {
  std::optional<ImageReader> image;
  std::optional<AudioReader> audio;
};

/// Texts with pictures and clips, a sample each, cut behind so many tokens. Files are read once at
/// the start, so that nothing is wrong with them later, and again whenever a batch needs them. A
/// sample ends with the end-of-sequence token if the tokenizer has one; placeholders are no
/// targets, and what has no target is left out.
class MediaSamples : public Samples {
 public:
  /// An Error that begins with a document's origin where it names files of a kind that the model
  /// does not take, where its text has not as many placeholder tokens as it names files, where a
  /// file cannot be read, or where the media do not fit into the window. progress: called after
  /// each document.
  MediaSamples(const Tokenizer& tokenizer, std::span<const Document> documents, std::int64_t window,
               std::shared_ptr<const MediaReaders> readers, const std::function<void()>& progress);

  std::size_t size() const override { return samples_.size(); }
  std::int64_t length() const override;
  Batch batch(std::span<const std::size_t> chosen) const override;
  void update(Sha256& hash) const override;

 private:
  struct Sample {
    std::vector<std::int32_t> ids;
    std::vector<std::filesystem::path> images, audio;
    std::string media_hash;
  };

  Sample sample_of(const Tokenizer& tokenizer, const Document& document, std::int64_t window) const;
  bool is_placeholder(std::int32_t id) const;
  bool has_target(const Sample& sample) const;

  std::shared_ptr<const MediaReaders> readers_;
  std::vector<Sample> samples_;
};

/// Whether any of them names pictures or clips.
bool have_media(std::span<const Document> documents);

}  // namespace dualpath::data
