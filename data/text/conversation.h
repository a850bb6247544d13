#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "data/formats/json.h"

namespace dualpath::data {

/// A conversation in the form that transformers gives to a chat template.
struct Conversation {
  /// [{"role": …, "content": …, …}, …], at least one. Values of null are left out.
  nlohmann::ordered_json messages;
  /// An object: "tools", "documents" and the keys of the line's "chat_template_kwargs".
  nlohmann::ordered_json variables;
};

/// Whether this answer is not to be trained on: its "weight" is 0, or its "loss" 0 or false.
bool is_left_out(const nlohmann::ordered_json& message);

/// Reads the conversation of a line of JSON: `object`, whose text is `line`.
///
/// Under the key "messages" stand {"role", "content", "tool_calls", …} of OpenAI and TRL. Content
/// is a string, or a list of {"type": "text", "text"}, {"type": "image"} and {"type": "audio"}. The
/// files of the last two stand in the part ({"type": "image", "image": "a.jpg"}) or in the line
/// (see take_media()). Under "conversations" stand such messages, or ShareGPT's {"from", "value"},
/// whose roles are translated: human, gpt, function_response, observation.
///
/// A line's "system" goes before all as a message of its own. Its "tools" and "documents" are lists
/// of objects (TRL's "tools" may be a JSON text of such a list; "" is none). Errors have the line's
/// place and the key. Refused are wrong types, unknown roles, an empty list and an empty answer,
/// and all that would be lost in silence: "function_call", an assistant's "weight" or "loss" other
/// than 0 and 1, a turn's other keys, other keys of a picture's part, and a "chat_template_kwargs"
/// that is an argument of transformers.
Conversation read_conversation(const JsonObject& object, std::string_view line,
                               std::string_view key);

}  // namespace dualpath::data
