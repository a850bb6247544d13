#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "data/formats/json.h"

namespace dualpath::data {

/// A conversation as transformers gives it to a chat template.
struct Conversation {
  /// [{"role": …, "content": …, …}, …], at least one. What is null is left out.
  nlohmann::ordered_json messages;
  /// An object: "tools", "documents" and what the line's "chat_template_kwargs" name.
  nlohmann::ordered_json variables;
};

/// Whether this is an answer that is not to be trained on: its "weight" is 0.
bool is_left_out(const nlohmann::ordered_json& message);

/// Reads the conversation of a line of JSON: `object`, whose text is `line`.
///
/// key "messages": {"role", "content", "tool_calls", …}, as OpenAI and TRL have them. Content is a
/// string, or a list of {"type": "text", "text"} and {"type": "image"}, whose files the line names
/// elsewhere. key "conversations": the same, or ShareGPT's {"from", "value"}, whose names of roles
/// are translated: human, gpt, function_response, observation.
///
/// A line's "system" goes before all as a message of its own. Its "tools" and "documents" are lists
/// of objects ("tools" may be such a list as a JSON text, as TRL has it; "" is none). Other keys of
/// a line are without effect. Error, with the line's place and the key, for wrong types, unknown
/// roles, an empty list, and for what would be lost in silence: "function_call", an assistant's
/// "weight" other than 0 and 1, a file named inside a part, a "chat_template_kwargs" that is an
/// argument of transformers.
Conversation read_conversation(const JsonObject& object, std::string_view line,
                               std::string_view key);

}  // namespace dualpath::data
