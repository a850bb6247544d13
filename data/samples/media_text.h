#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "data/media/image_processor.h"
#include "data/samples/batch.h"
#include "data/samples/log_mel.h"
#include "data/text/text.h"

namespace dualpath::data {

/// A model's way to take images. An image's placeholder token is repeated as often as `tokens` says
/// for the grid that the processor makes of it.
struct ImageReader {
  ImageProcessor processor;
  std::int32_t token_id = 0;
  std::function<std::int64_t(ImageGrid)> tokens;
};

/// A model's way to take clips. tokens: a clip's number of placeholders, by its frames.
struct AudioReader {
  LogMel log_mel;
  std::int32_t token_id = 0;
  std::function<std::int64_t(std::int64_t)> tokens;
};

/// The readers of a model; nothing for a kind of file that it does not take.
struct MediaReaders {
  std::optional<ImageReader> image;
  std::optional<AudioReader> audio;

  bool is_placeholder(std::int32_t id) const;
};

/// Sizes of a text's files, which say how often their placeholders are repeated.
struct MediaSizes {
  /// Each picture's grid as the model's processor makes it; in pixels if the model takes none.
  std::vector<ImageGrid> images = {};
  /// Each clip's real frames; samples at kAudioRate if the model takes none.
  std::vector<std::int64_t> clips = {};
  double seconds = 0;  ///< of all clips
};

/// Reads all of a text's files. May be called from several threads at once.
MediaSizes read_sizes(const MediaFiles& files, const MediaReaders& readers);

/// Throws an Error if files are of a kind that the model does not take.
void require_taken(const MediaFiles& files, const MediaReaders& readers);

/// Repeats each placeholder of a text as often as its file takes hidden states. Another number of
/// files than of placeholders is an Error.
Tokens with_placeholders(Tokens tokens, const MediaSizes& sizes, const MediaReaders& readers);
/// Reads the files first. Files of a kind that the model does not take are an Error.
Tokens with_placeholders(Tokens tokens, const MediaFiles& files, const MediaReaders& readers);

/// Reads the files of several texts, those of all in order.
TowerBatches tower_batches(std::span<const MediaFiles* const> files, const MediaReaders& readers);

/// Puts at least one text side by side, with the files of their placeholders, which it reads.
/// texts[i] goes with files[i]. Placeholders are no targets.
Batch make_batch(std::span<const TokenSpan> texts, std::span<const MediaFiles* const> files,
                 const MediaReaders& readers);

}  // namespace dualpath::data
