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
  /// The places of the answers in the text, if they were asked for.
  std::optional<std::vector<ByteRange>> answers;
};

/// Writes conversations by a model's chat template, without the prompt for another answer. The
/// template is opened when the first conversation comes, so that text alone needs none.
///
/// strftime_now tells one day in every run: 26 July 2024, the default of Llama 3's template. A text
/// that changed overnight would be another text to train on.
class ConversationWriter {
 public:
  /// model: see ChatTemplate::of. The tokenizer must outlive the writer.
  ConversationWriter(std::filesystem::path model, const Tokenizer& tokenizer, bool finds_answers);
  ~ConversationWriter();

  /// Writes one conversation. Errors: the model has no template, or the template refuses the
  /// conversation. If answers are asked for, there is none or its place cannot be told. If they are
  /// not asked for, an answer's weight is 0.
  WrittenConversation write(const Conversation& conversation) const;

 private:
  const ChatTemplate& chat(bool with_tools) const;

  std::filesystem::path model_;
  const Tokenizer& tokenizer_;
  bool finds_answers_;
  /// The templates without and with tools, for which some models have one of their own.
  mutable std::array<std::unique_ptr<const ChatTemplate>, 2> chats_;
};

}  // namespace dualpath::data
