#pragma once

#include <ctime>
#include <vector>

#include "data/base/byte_range.h"
#include "data/text/conversation.h"
#include "data/tokenizer/chat_template.h"
#include "data/tokenizer/tokenizer.h"

namespace dualpath::data {

/// Finds the assistants' answers in `whole`, which is the conversation as the template writes
/// it: what they say and the end of turn that the template puts behind it, in order. Those whose
/// weight is 0 are left out.
///
/// A template with {% generation %} marks them itself. Else an answer begins behind what the
/// template writes of the messages before it with the prompt for an answer, and ends where the
/// conversation that ends with it does. Where the template writes an earlier answer otherwise than
/// a last one (Qwen3 leaves out what was thought), it ends where the rest of the last one's text
/// ends. Error that names the message where neither can be told, and where no answer is left.
///
/// now: what strftime_now told when `whole` was written.
std::vector<ByteRange> find_answers(const ChatTemplate& chat, const Tokenizer& tokenizer,
                                    const Conversation& conversation, const jinja::Rendering& whole,
                                    const std::tm& now);

/// Returns what the template is given for the first n messages of a conversation.
nlohmann::ordered_json template_variables(const Conversation& conversation, std::size_t n,
                                          bool with_prompt);

}  // namespace dualpath::data
