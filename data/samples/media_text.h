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

  bool is_placeholder(std::int32_t id) const;
};

/// A text's tokens with each placeholder as often as its file takes hidden states. Files are read.
/// Files of a kind that the model does not take, or not as many as there are placeholders, are an
/// Error.
Tokens with_placeholders(Tokens tokens, const MediaFiles& files, const MediaReaders& readers);

/// Texts side by side with all that their placeholders stand for, read from files: texts[i] goes
/// with files[i]. Placeholders are no targets. At least one text.
Batch make_batch(std::span<const TokenSpan> texts, std::span<const MediaFiles* const> files,
                 const MediaReaders& readers);

}  // namespace dualpath::data
