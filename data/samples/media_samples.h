#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/samples/media_text.h"
#include "data/samples/samples.h"
#include "data/tokenizer/tokenizer.h"

namespace dualpath::data {

/// Makes a sample's tokens: the text's, with placeholders for files of these sizes, cut behind
/// `window`. A text, but no conversation, ends with the end-of-sequence token if the tokenizer has
/// one. Nothing if its pictures and clips do not all lie inside the window: none is ever cut.
std::optional<Tokens> tokens_within(const Tokenizer& tokenizer, const Document& document,
                                    const MediaSizes& sizes, const MediaReaders& readers,
                                    std::int64_t window);

/// Counts the targets of a sample: tokens to predict that are no placeholders.
std::int64_t count_targets(TokenSpan tokens, const MediaReaders& readers);

/// Documents that became no sample.
struct LeftOut {
  std::int64_t too_long = 0;        ///< their pictures and clips do not fit into the window
  std::string first_too_long;       ///< the first one's origin
  std::int64_t without_target = 0;  ///< nothing is left to predict
};

/// Texts with pictures and clips, a sample each, cut behind `window` tokens. Files are read once at
/// the start, in several threads, so that broken ones show early, and again whenever a batch needs
/// them.
class MediaSamples : public Samples {
 public:
  /// Reads all files. Files that do not match their text (see with_placeholders()) or cannot be
  /// read are an Error that begins with the document's origin. progress: called after each
  /// document. It is an Error, too, if no sample is left.
  MediaSamples(const Tokenizer& tokenizer, std::span<const Document> documents, std::int64_t window,
               std::shared_ptr<const MediaReaders> readers, const std::function<void()>& progress);

  const LeftOut& left_out() const { return left_out_; }
  std::size_t size() const override { return samples_.size(); }
  std::int64_t targets(std::size_t sample) const override {
    return count_targets(samples_[sample].tokens, *readers_);
  }
  Sample sample(std::size_t number) const override {
    return {samples_[number].tokens, &samples_[number].files};
  }
  const MediaReaders* readers() const override { return readers_.get(); }
  void update(Sha256& hash) const override;

 private:
  struct OwnSample {
    Tokens tokens;
    MediaFiles files;
    std::string files_hash;
  };

  void add(const Tokenizer& tokenizer, const Document& document, const MediaSizes& sizes,
           std::string files_hash, std::int64_t window);

  std::shared_ptr<const MediaReaders> readers_;
  std::vector<OwnSample> samples_;
  LeftOut left_out_;
};

/// Whether any document names pictures or clips.
bool have_media(std::span<const Document> documents);

}  // namespace dualpath::data
