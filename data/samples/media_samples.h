#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "data/samples/media_text.h"
#include "data/samples/samples.h"
#include "data/tokenizer/tokenizer.h"

namespace dualpath::data {

/// Texts with pictures and clips, a sample each, cut behind `window` tokens. Files are read once at
/// the start, so that broken ones show early, and again whenever a batch needs them. A text, but no
/// conversation, ends with the end-of-sequence token if the tokenizer has one. Samples with nothing
/// to predict but placeholders are left out.
class MediaSamples : public Samples {
 public:
  /// Reads all files. Files that do not match their text (see with_placeholders()), cannot be read
  /// or do not fit into the window are an Error that begins with the document's origin. progress:
  /// called after each document.
  MediaSamples(const Tokenizer& tokenizer, std::span<const Document> documents, std::int64_t window,
               std::shared_ptr<const MediaReaders> readers, const std::function<void()>& progress);

  std::size_t size() const override { return samples_.size(); }
  std::int64_t targets(std::size_t sample) const override {
    return targets_of(samples_[sample].tokens);
  }
  Batch batch(std::span<const std::size_t> chosen) const override;
  void update(Sha256& hash) const override;

 private:
  struct Sample {
    Tokens tokens;
    MediaFiles files;
    std::string files_hash;
  };

  Sample sample_of(const Tokenizer& tokenizer, const Document& document, std::int64_t window) const;
  std::int64_t targets_of(TokenSpan tokens) const;

  std::shared_ptr<const MediaReaders> readers_;
  std::vector<Sample> samples_;
};

/// Whether any document names pictures or clips.
bool have_media(std::span<const Document> documents);

}  // namespace dualpath::data
