#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/samples/media_text.h"
#include "data/text/conversation_writer.h"
#include "data/tokenizer/tokenizer.h"

namespace dualpath::data {

/// The model that data is checked for: what training would read it with.
struct CheckModel {
  const Tokenizer& tokenizer;
  const ConversationWriter& writer;
  const MediaReaders& readers;
  std::int64_t window;  ///< tokens
};

/// Counts of the good samples of one kind.
struct SampleCounts {
  std::int64_t samples = 0, conversations = 0, pictures = 0, clips = 0;
  double seconds = 0;                    ///< of clips
  std::int64_t tokens = 0, targets = 0;  ///< 0 without a model
  std::int64_t cut = 0;                  ///< samples whose end lies behind the window

  void add(const SampleCounts& more);
};

/// The counts of the samples in some files, and the mistakes in them.
struct DataCheck {
  std::vector<std::string> mistakes = {};  ///< each begins with file and line; in the files' order
  /// Counts by the files beside the text: "text" (none), "image", "audio", "image and audio".
  std::map<std::string, SampleCounts> kinds = {};
  std::map<std::string, std::int64_t> notes = {};  ///< keys without effect, and how often
  std::int64_t empty_texts = 0;                    ///< left out

  SampleCounts all() const;
};

/// Reads all samples of the files as training does (for_each_entry()), decodes their pictures and
/// clips in several threads, and goes on behind a mistake. With a model its template, tokenizer and
/// window judge, too. Samples of files that have no pictures and clips are cut into windows, so
/// their length is no matter. Throws Interrupted alone, and if a path is of no kind that is read.
DataCheck check_data(std::span<const std::filesystem::path> paths,
                     const std::optional<CheckModel>& model);

}  // namespace dualpath::data
