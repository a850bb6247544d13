#pragma once

#include <array>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/base/byte_range.h"
#include "data/text/conversation_writer.h"

namespace dualpath::data {

/// The files that a text's placeholder tokens stand for, in order.
struct MediaFiles {
  std::vector<std::filesystem::path> images, audio;
};

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

/// Reads .txt and .md (one document), .jsonl (one object a line; blank lines are passed over), or
/// all of these directly inside a directory, sorted by name. A line has a string "text", or
/// "messages" or "conversations" (see Conversation), of which the writer makes a text. Empty texts
/// are left out. A line's "images" and "audio" may name files, relative to the .jsonl file. A line
/// that is no UTF-8, no JSON, or has none or several of the three keys is an Error `file:line: …`.
/// It is an Error, too, if nothing is left.
std::vector<Document> read_documents(const std::filesystem::path& path,
                                     const ConversationWriter& writer);

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
