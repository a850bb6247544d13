#include "data/text/conversation_writer.h"

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>
#include <utility>

#include "data/base/error.h"
#include "data/text/answers.h"
#include "data/text/conversation.h"
#include "data/tokenizer/chat_template.h"
#include "data/tokenizer/tokenizer.h"

namespace dualpath::data {
namespace {

using nlohmann::ordered_json;

/// The day that strftime_now tells: Friday, the 26th of July 2024.
std::tm the_day() {
  std::tm day{};
  day.tm_year = 2024 - 1900;
  day.tm_mon = 6;
  day.tm_mday = 26;
  day.tm_wday = 5;
  day.tm_yday = 207;
  return day;
}

void refuse_left_out(const ordered_json& messages) {
  const auto found = std::ranges::find_if(messages, is_left_out);
  if (found == messages.end()) return;
  throw Error(
      "messages[{}].weight: expected 1, got 0: all of a conversation is trained on, unless "
      "data.assistant_only_loss is true",
      found - messages.begin());
}

}  // namespace

ConversationWriter::ConversationWriter(std::filesystem::path model, const Tokenizer& tokenizer,
                                       bool finds_answers)
    : model_(std::move(model)), tokenizer_(tokenizer), finds_answers_(finds_answers) {}

ConversationWriter::~ConversationWriter() = default;

WrittenConversation ConversationWriter::write(const Conversation& conversation) const {
  const ordered_json variables =
      template_variables(conversation, conversation.messages.size(), /*with_prompt=*/false);
  const std::tm now = the_day();
  const ChatTemplate& chat = this->chat(variables.contains("tools"));
  const jinja::Rendering whole = chat.render(variables, now);
  if (!finds_answers_) {
    refuse_left_out(conversation.messages);
    return {whole.text, std::nullopt};
  }
  return {whole.text, find_answers(chat, tokenizer_, conversation, whole, now)};
}

const ChatTemplate& ConversationWriter::chat(bool with_tools) const {
  auto& chat = chats_[with_tools];
  if (!chat) {
    chat = std::make_unique<const ChatTemplate>(ChatTemplate::of(model_, tokenizer_, with_tools));
  }
  return *chat;
}

}  // namespace dualpath::data
