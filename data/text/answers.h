#pragma once

#include <ctime>
#include <vector>

#include "data/base/byte_range.h"
#include "data/text/conversation.h"
#include "data/tokenizer/chat_template.h"
#include "data/tokenizer/tokenizer.h"

namespace dualpath::data {

/// Finds the assistants' answers in `whole`, the conversation that the template wrote. An answer is
/// the assistant's text and the end of turn that the template puts behind it. Answers stand in
/// order; those of weight 0 are left out.
///
/// A template with {% generation %} marks answers itself. Else an answer begins behind the text of
/// the earlier messages with the prompt for an answer, and ends where the conversation that it
/// closes ends. A template may write an earlier answer otherwise than a last one (Qwen3 leaves out
/// thoughts). Such an answer ends where the rest of the last one's text ends. If neither can be
/// told, or no answer is left, an Error names the message.
///
/// now: the time that strftime_now gave when `whole` was written.
std::vector<ByteRange> find_answers(const ChatTemplate& chat, const Tokenizer& tokenizer,
                                    const Conversation& conversation, const jinja::Rendering& whole,
                                    const std::tm& now);

/// Returns the template's variables for the first n messages of a conversation.
nlohmann::ordered_json template_variables(const Conversation& conversation, std::size_t n,
                                          bool with_prompt);

}  // namespace dualpath::data
