#include "data/text/answers.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "data/base/error.h"
#include "data/text/document_tokens.h"

namespace dualpath::data {
namespace {

using nlohmann::ordered_json;

std::size_t common_bytes(std::string_view a, std::string_view b) {
  return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

/// Counts the bytes that `text` shares with `start`: all of `start` if the text begins with it.
/// Else it counts whole tokens, since "<|end|>" and "<|user|>" begin alike, too.
std::size_t common_start(const Tokenizer& tokenizer, std::string_view start,
                         std::string_view text) {
  if (text.starts_with(start)) return start.size();
  const auto ours = tokenizer.encode(start), theirs = tokenizer.encode(text);
  const auto same =
      static_cast<std::size_t>(std::ranges::mismatch(ours, theirs).in1 - ours.begin());
  // Counts from the first difference: before it the tokenizer may have changed the text (NFC).
  const std::size_t in_token =
      common_bytes(bytes_of(tokenizer, ours), bytes_of(tokenizer, theirs)) -
      bytes_of(tokenizer, std::span(ours).first(same)).size();
  const std::size_t in_text = common_bytes(start, text);
  return in_text - std::min(in_text, in_token);
}

/// The last word of a message's content; "" if it ends in a tag or has no content.
std::string last_word(const ordered_json& message) {
  std::string text;
  const auto content = message.find("content");
  if (content == message.end()) return text;
  if (content->is_string()) text = content->get<std::string>();
  if (content->is_array()) {
    for (const ordered_json& part : *content)
      if (part.contains("text")) text = part["text"].get<std::string>();
  }
  text.erase(text.find_last_not_of(" \t\r\n") + 1);
  return text.substr(text.find_last_of(" \t\r\n>") + 1);
}

bool is_target(const ordered_json& message) {
  return message["role"] == "assistant" && !is_left_out(message);
}

bool overlap(const ByteRange& a, const ByteRange& b) { return a.begin < b.end && b.begin < a.end; }

class Finder {
 public:
  Finder(const ChatTemplate& chat, const Tokenizer& tokenizer, const Conversation& conversation,
         std::string_view whole, const std::tm& now)
      : chat_(chat), tokenizer_(tokenizer), conversation_(conversation), whole_(whole), now_(now) {}

  /// Finds the answers for which wanted(message).
  template <class Wanted>
  std::vector<ByteRange> find(const Wanted& wanted) const {
    std::vector<ByteRange> answers;
    for (std::size_t i = 0; i < conversation_.messages.size(); ++i)
      if (wanted(conversation_.messages[i])) answers.push_back(answer(i));
    return answers;
  }

 private:
  ByteRange answer(std::size_t i) const {
    const std::string prompt = first(i, /*with_prompt=*/true);
    const std::size_t begin = begin_behind(prompt, i), end = end_of(i, prompt, begin);
    if (end < begin) refuse(i);
    return {begin, end};
  }

  std::string first(std::size_t n, bool with_prompt) const {
    try {
      return chat_.render(template_variables(conversation_, n, with_prompt), now_).text;
    } catch (const Error& error) {
      throw Error(
          "the template does not write the first {} messages alone, so what the assistant "
          "says cannot be found: {}",
          n, error.what());
    }
  }

  /// The prompt may be longer than the text before a given answer (DeepSeek-R1 begins a thought),
  /// but not of another kind.
  std::size_t begin_behind(const std::string& prompt, std::size_t i) const {
    const std::size_t same = common_start(tokenizer_, prompt, whole_);
    if (same == prompt.size()) return same;
    const std::size_t before = common_start(tokenizer_, first(i, /*with_prompt=*/false), prompt);
    if (same <= before) refuse(i);
    return same;
  }

  std::size_t end_of(std::size_t i, const std::string& prompt, std::size_t begin) const {
    const std::string alone = first(i + 1, /*with_prompt=*/false);
    if (whole_.starts_with(alone)) return alone.size();
    // Some templates close a conversation. A conversation that goes on shows where the turn itself
    // ends.
    const std::string going_on = first(i + 1, /*with_prompt=*/true);
    const std::string_view turn =
        std::string_view(alone).substr(0, common_start(tokenizer_, alone, going_on));
    if (whole_.starts_with(turn)) return turn.size();
    return begin + kept_of(turn.substr(common_start(tokenizer_, prompt, turn)), i, begin);
  }

  /// Counts the last bytes of an answer that stand at `begin`. as_last: the answer's text at the
  /// end of a conversation.
  std::size_t kept_of(std::string_view as_last, std::size_t i, std::size_t begin) const {
    const std::string_view here = whole_.substr(begin);
    while (!as_last.empty() && !here.starts_with(as_last)) as_last.remove_prefix(1);
    const std::string word = last_word(conversation_.messages[i]);
    if (as_last.empty() || as_last.find(word) == std::string_view::npos) refuse(i);
    return as_last.size();
  }

  [[noreturn]] static void refuse(std::size_t i) {
    throw Error(
        "messages[{}]: the template writes it otherwise when more follows, so where the answer "
        "stands cannot be told (data.assistant_only_loss); {{% generation %}} in the template "
        "would mark it",
        i);
  }

  const ChatTemplate& chat_;
  const Tokenizer& tokenizer_;
  const Conversation& conversation_;
  std::string_view whole_;
  const std::tm& now_;
};

}  // namespace

ordered_json template_variables(const Conversation& conversation, std::size_t n, bool with_prompt) {
  ordered_json variables = conversation.variables;
  const auto& messages = conversation.messages;
  variables["messages"] = ordered_json(
      ordered_json::array_t(messages.begin(), messages.begin() + static_cast<std::ptrdiff_t>(n)));
  variables["add_generation_prompt"] = with_prompt;
  return variables;
}

std::vector<ByteRange> find_answers(const ChatTemplate& chat, const Tokenizer& tokenizer,
                                    const Conversation& conversation, const jinja::Rendering& whole,
                                    const std::tm& now) {
  const Finder finder(chat, tokenizer, conversation, whole.text, now);
  std::vector<ByteRange> answers = whole.generated;
  if (answers.empty()) {
    answers = finder.find(is_target);
  } else {
    for (const ByteRange& left_out : finder.find(is_left_out))
      std::erase_if(answers, [&](const ByteRange& range) { return overlap(range, left_out); });
  }
  if (answers.empty()) {
    throw Error(
        "expected a message of the assistant whose weight is not 0, since "
        "data.assistant_only_loss is true");
  }
  return answers;
}

}  // namespace dualpath::data
