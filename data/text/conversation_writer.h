#pragma once

#include <array>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/base/byte_range.h"

namespace dualpath::data {

class Tokenizer;
class ChatTemplate;
struct Conversation;

struct WrittenConversation {
  std::string text;
  /// Places of the answers in it, if they were asked for.
  std::optional<std::vector<ByteRange>> answers;
};

/// Writes conversations down as a model's chat template does, without the prompt for another
/// answer. The template is opened when the first one comes, so that text alone needs none.
///
/// strftime_now tells the same day in every run (26 July 2024, which Llama 3's template takes where
/// it is told none): a text that changed overnight would be another text to train on.
class ConversationWriter {
 public:
  /// model: see ChatTemplate::of. The tokenizer must outlive the writer.
  ConversationWriter(std::filesystem::path model, const Tokenizer& tokenizer, bool finds_answers);
  ~ConversationWriter();

  /// Error if the model has no template, if that refuses the conversation, and if answers are
  /// asked for but there is none or its place cannot be told; if they are not asked for, where an
  /// answer's weight is 0.
  WrittenConversation write(const Conversation& conversation) const;

 private:
  const ChatTemplate& chat(bool with_tools) const;

  std::filesystem::path model_;
  const Tokenizer& tokenizer_;
  bool finds_answers_;
  /// Without and with tools, for which some models have a template of their own.
  mutable std::array<std::unique_ptr<const ChatTemplate>, 2> chats_;
};

}  // namespace dualpath::data
