#include "data/text/conversation.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "data/base/error.h"
#include "data/text/entries.h"

namespace dualpath::data {
namespace {

using nlohmann::ordered_json;

constexpr std::array<std::string_view, 8> kRoles{"system", "developer", "user",    "assistant",
                                                 "tool",   "function",  "ipython", "observation"};

/// ShareGPT's names of roles, and the templates' names.
constexpr std::array<std::pair<std::string_view, std::string_view>, 9> kSenders{{
    {"human", "user"},
    {"user", "user"},
    {"gpt", "assistant"},
    {"assistant", "assistant"},
    {"model", "assistant"},
    {"system", "system"},
    {"tool", "tool"},
    {"function_response", "tool"},
    {"observation", "tool"},
}};

/// Arguments of transformers' apply_chat_template that no template sees, and keys that a line has
/// elsewhere.
constexpr std::array<std::string_view, 16> kNoVariables{"messages",
                                                        "conversation",
                                                        "tools",
                                                        "documents",
                                                        "chat_template",
                                                        "add_generation_prompt",
                                                        "continue_final_message",
                                                        "tokenize",
                                                        "padding",
                                                        "truncation",
                                                        "max_length",
                                                        "return_tensors",
                                                        "return_dict",
                                                        "return_assistant_tokens_mask",
                                                        "tokenizer_kwargs",
                                                        "sanitize_control_tokens"};

std::string short_text(const ordered_json& value) {
  constexpr std::size_t kMost = 60;
  const std::string text =
      value.dump(-1, ' ', /*ensure_ascii=*/true, ordered_json::error_handler_t::replace);
  return text.size() <= kMost ? text : text.substr(0, kMost - 3) + "...";
}

/// A value of a line, and its place: "chat.jsonl:3: messages[0].role".
struct Node {
  const ordered_json& value;
  std::string where;
  std::string_view separator = ".";

  [[noreturn]] void refuse(std::string_view expected) const {
    throw Error("{}: expected {}, got {}", where, expected, short_text(value));
  }
  bool has(std::string_view key) const {
    const auto found = value.find(key);
    return found != value.end() && !found->is_null();
  }
  Node at(std::string_view key) const {
    return {*value.find(key), fmt::format("{}{}{}", where, separator, key)};
  }
  std::string text() const {
    if (!value.is_string()) refuse("a string");
    return value.get<std::string>();
  }
  std::vector<Node> objects(std::string_view expected) const {
    if (!value.is_array()) refuse(expected);
    std::vector<Node> items;
    for (std::size_t i = 0; i < value.size(); ++i) {
      items.push_back({value[i], fmt::format("{}[{}]", where, i)});
      if (!items.back().value.is_object()) items.back().refuse("an object");
    }
    return items;
  }
};

ordered_json without_nulls(const ordered_json& message) {
  ordered_json result = ordered_json::object();
  for (const auto& [key, value] : message.items())
    if (!value.is_null()) result[key] = value;
  return result;
}

void check_part(const Node& part) {
  if (!part.has("type")) part.refuse("an object with a type");
  if (part.at("type").text() == "text") {
    if (!part.has("text")) part.refuse("a text");
    part.at("text").text();
    return;
  }
  const std::string type = part.at("type").text();
  for (const auto& [key, value] : part.value.items()) {
    if (key == "type" || value.is_null()) continue;
    if (key != type || (type != "image" && type != "audio"))
      throw Error("{}.{}: expected the file in the line's images or audio, not in a part",
                  part.where, printable(key));
    part.at(key).text();
  }
}

void check_content(const Node& message) {
  if (!message.has("content")) {
    if (!message.has("tool_calls")) message.refuse("content");
    return;
  }
  const Node content = message.at("content");
  if (content.value.is_string()) return;
  for (const Node& part : content.objects("a string or a list of parts")) check_part(part);
}

/// Checks the keys by which an answer is left out of the loss: OpenAI's "weight" and ms-swift's
/// "loss", which may be a boolean. Those of others than the assistant have no effect.
void check_weight(const Node& message) {
  for (const char* key : {"weight", "loss"}) {
    if (!message.has(key)) continue;
    const Node weight = message.at(key);
    const bool is_boolean = weight.value.is_boolean() && key == std::string_view("loss");
    if (!is_boolean && weight.value != 0 && weight.value != 1) weight.refuse("0 or 1");
  }
}

bool is_zero(const ordered_json& message, const char* key) {
  const auto found = message.find(key);
  return found != message.end() && (*found == 0 || *found == false);
}

bool is_blank_text(const ordered_json& text) {
  return text.get_ref<const std::string&>().find_first_not_of(" \t\r\n") == std::string::npos;
}

/// Requires an answer that is trained on to say something.
void check_answer(const ordered_json& message, const std::string& where) {
  if (is_left_out(message) || message.contains("tool_calls")) return;
  for (const char* other : {"reasoning_content", "thinking", "reasoning"})
    if (message.contains(other)) return;
  const auto content = message.find("content");
  if (content == message.end()) return;
  const bool is_empty = content->is_string()
                            ? is_blank_text(*content)
                            : std::ranges::all_of(*content, [](const ordered_json& part) {
                                return part["type"] == "text" && is_blank_text(part["text"]);
                              });
  if (is_empty) throw Error("{}: expected an answer, got an empty one", where);
}

/// Checks the rest of OpenAI's format: a call that no template reads, and an answer's weight.
void check_kept(const Node& message, std::string_view role) {
  if (message.has("function_call"))
    throw Error("{}.function_call: expected tool_calls instead, which templates know",
                message.where);
  if (role == "assistant") check_weight(message);
}

ordered_json message_of(const Node& message) {
  if (!message.has("role")) message.refuse("a role");
  const Node role = message.at("role");
  if (std::ranges::find(kRoles, role.text()) == kRoles.end())
    role.refuse(fmt::format("one of {}", fmt::join(kRoles, ", ")));
  if (message.has("tool_calls")) message.at("tool_calls").objects("a list of calls");
  check_kept(message, role.text());
  check_content(message);
  ordered_json kept = without_nulls(message.value);
  if (role.text() == "assistant") check_answer(kept, message.where + ".content");
  return kept;
}

/// Refuses keys of a ShareGPT turn by which its writer may have meant something.
void check_turn_keys(const Node& turn) {
  for (const auto& [key, value] : turn.value.items()) {
    if (value.is_null() || key == "from" || key == "value" || key == "weight" || key == "loss" ||
        key == "function_call" || is_note(key))
      continue;
    throw Error("{}.{}: is not read; expected from, value, weight, loss or notes", turn.where,
                printable(key));
  }
}

ordered_json turn_of(const Node& turn) {
  const bool has_role = turn.has("role");
  if (has_role == turn.has("from")) turn.refuse("either a role or a from");
  if (has_role) return message_of(turn);
  const Node from = turn.at("from");
  const std::string sender = from.text();
  const auto found = std::ranges::find(kSenders, sender, &decltype(kSenders)::value_type::first);
  if (found == kSenders.end()) {
    from.refuse(
        "human, gpt, system, tool, observation or function_response (a function_call as a message "
        "with tool_calls)");
  }
  const std::string_view role = found->second;
  check_kept(turn, role);
  check_turn_keys(turn);
  if (!turn.has("value")) turn.refuse("a value");
  ordered_json message = {{"role", role}, {"content", turn.at("value").text()}};
  if (role != "assistant") return message;
  for (const char* key : {"weight", "loss"})
    if (turn.has(key)) message[key] = turn.at(key).value;
  check_answer(message, turn.where + ".value");
  return message;
}

/// Puts a line's "system" in front of the messages, if the line has one beside them.
void add_system(const Node& line, ordered_json& messages) {
  if (!line.has("system")) return;
  const Node system = line.at("system");
  const std::string content = system.text();
  if (content.empty()) return;
  if (!messages.empty() && messages.front()["role"] == "system")
    system.refuse("none, since the messages begin with one");
  const ordered_json message = {{"role", "system"}, {"content", content}};
  messages.insert(messages.begin(), message);
}

/// The list of tools, or null for none. In a column of JSON texts none is "" or "null".
ordered_json tools_of(const Node& line) {
  if (!line.has("tools")) return nullptr;
  const Node tools = line.at("tools");
  ordered_json list = tools.value;
  if (list == "") return nullptr;
  if (list.is_string()) {
    parse_json(tools.text(), tools.where);
    list = ordered_json::parse(tools.text());
  }
  if (!list.is_null()) Node{list, tools.where}.objects("a list of tools");
  return list;
}

ordered_json variables_of(const Node& line) {
  ordered_json variables = ordered_json::object();
  ordered_json tools = tools_of(line);
  if (!tools.is_null()) variables["tools"] = std::move(tools);
  if (line.has("documents")) {
    line.at("documents").objects("a list of documents");
    variables["documents"] = line.at("documents").value;
  }
  if (!line.has("chat_template_kwargs")) return variables;
  const Node given = line.at("chat_template_kwargs");
  if (!given.value.is_object()) given.refuse("an object");
  for (const auto& [name, value] : given.value.items()) {
    if (std::ranges::find(kNoVariables, name) != kNoVariables.end())
      throw Error("{}.{}: expected a variable of the template; a line cannot set this one",
                  given.where, name);
    variables[name] = value;
  }
  return variables;
}

}  // namespace

bool is_left_out(const ordered_json& message) {
  return message["role"] == "assistant" && (is_zero(message, "weight") || is_zero(message, "loss"));
}

Conversation read_conversation(const JsonObject& object, std::string_view line,
                               std::string_view key) {
  // Parses once more, since templates write keys in the order of the file.
  const ordered_json ordered = ordered_json::parse(line);
  const Node root{ordered, object.where(), ": "};
  const Node list = root.at(key);
  const auto read = key == "messages" ? message_of : turn_of;
  ordered_json messages = ordered_json::array();
  for (const Node& message : list.objects("a list of messages")) messages.push_back(read(message));
  if (messages.empty()) list.refuse("at least one message");
  add_system(root, messages);
  return {std::move(messages), variables_of(root)};
}

}  // namespace dualpath::data
