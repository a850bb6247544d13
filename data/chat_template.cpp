#include "data/chat_template.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "data/base/error.h"
#include "data/base/file.h"

namespace dualpath::data {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

JsonObject config_of(const fs::path& model, const Tokenizer& tokenizer) {
  const std::string& text = tokenizer.files().tokenizer_config_json;
  return JsonObject::parse(text.empty() ? "{}" : text, (model / "tokenizer_config.json").string());
}

/// Of a list of named ones.
std::string named_template(const JsonObject& config, bool with_tools) {
  std::map<std::string, std::string> named;
  std::string names;
  for (const JsonObject& entry : config.objects("chat_template")) {
    named[entry.string("name")] = entry.string("template");
    names += " " + entry.string("name");
  }
  if (with_tools && named.contains("tool_use")) return named["tool_use"];
  if (named.contains("default")) return named["default"];
  throw Error("{}: chat_template: expected one named default, got{}", config.where(),
              printable(names));
}

std::string source_of(const fs::path& model, const JsonObject& config, bool with_tools) {
  const fs::path file = model / "chat_template.jinja";
  if (fs::is_directory(model) && fs::exists(file)) return read_file(file);
  if (!config.contains("chat_template")) {
    throw Error(
        "{}: the model has no chat template; expected chat_template.jinja, or chat_template in "
        "tokenizer_config.json",
        model.string());
  }
  if (config.raw()["chat_template"].is_array()) return named_template(config, with_tools);
  return config.string("chat_template");
}

/// "bos_token" and the like: a text or, in older files, an object with "content".
std::map<std::string, std::string> special_tokens_of(const JsonObject& config) {
  std::map<std::string, std::string> tokens;
  for (const std::string& key : config.keys()) {
    if (!key.ends_with("_token")) continue;
    const auto& value = config.raw()[key];
    if (value.is_string()) tokens[key] = value.get<std::string>();
    if (value.is_object()) tokens[key] = config.object(key).string("content");
  }
  return tokens;
}

/// A message's thoughts have had several names: a template finds them under "reasoning_content" and
/// "thinking", as transformers hands them on.
ordered_json with_reasoning(const ordered_json& message) {
  if (!message.is_object()) return message;
  for (const char* name : {"reasoning_content", "thinking", "reasoning"}) {
    const auto found = message.find(name);
    if (found == message.end() || found->is_null()) continue;
    ordered_json result{{"thinking", *found}};
    result.update(message);
    result["reasoning_content"] = *found;
    return result;
  }
  return message;
}

std::tm local_time() {
  const std::time_t now = std::time(nullptr);
  std::tm time{};
  ::localtime_r(&now, &time);
  return time;
}

}  // namespace

ChatTemplate ChatTemplate::of(const fs::path& model, const Tokenizer& tokenizer, bool with_tools) {
  const JsonObject config = config_of(model, tokenizer);
  return {jinja::Template(source_of(model, config, with_tools), "chat_template"),
          special_tokens_of(config)};
}

std::string ChatTemplate::render(const ordered_json& messages) const {
  return render({{"messages", messages}, {"add_generation_prompt", true}}, local_time()).text;
}

jinja::Rendering ChatTemplate::render(ordered_json variables, const std::tm& now) const {
  for (const auto& [name, token] : special_tokens_)
    if (!variables.contains(name)) variables[name] = token;
  for (const char* name : {"tools", "documents"})
    if (!variables.contains(name)) variables[name] = nullptr;
  if (variables.contains("messages"))
    for (ordered_json& message : variables["messages"]) message = with_reasoning(message);
  return template_.rendering(variables, now);
}

}  // namespace dualpath::data
