#pragma once

#include <array>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/base/byte_range.h"
#include "data/media/media_file.h"
#include "data/text/conversation_writer.h"
#include "data/text/entries.h"

namespace dualpath::data {

/// One text in UTF-8, and its origin ("book.md" or "pages.jsonl:12").
struct Document {
  std::string text;
  std::string origin;
  MediaFiles media = {};
  /// Whether a chat template wrote it, which itself says how a text begins and ends.
  bool is_conversation = false;
  /// Places of the assistant's answers, the only targets. If not given, all of the text is a
  /// target.
  std::optional<std::vector<ByteRange>> answers = {};
};

/// Reads all documents of a file or directory (see for_each_entry()). Conversations are written by
/// the writer, and empty texts are left out. The first mistake is an Error, `file:line: …`; so is a
/// path without any text.
std::vector<Document> read_documents(const std::filesystem::path& path,
                                     const ConversationWriter& writer);

/// Writes an entry's conversation by the model's template. Errors begin with the entry's origin.
Document write_document(Entry entry, const ConversationWriter& writer);

/// The shares of the characters for each part; each above 0, together 1.
struct SplitFractions {
  double train = 0.8, selection = 0.1, test = 0.1;
};

/// Views of the documents that were split: valid while the documents live.
struct DocumentSplit {
  std::span<const Document> train, selection, test;
};

/// Splits between documents, keeping their order: the first ones train, the next select, the last
/// test. Each of the two boundaries lies where the characters (code points) before it come closest
/// to their share. No part is empty: fewer than three documents are an Error.
DocumentSplit split_documents(std::span<const Document> documents, const SplitFractions& fractions);

}  // namespace dualpath::data
