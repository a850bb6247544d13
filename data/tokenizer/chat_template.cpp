#include "data/tokenizer/chat_template.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "data/base/error.h"
#include "data/formats/stand_in.h"
#include "data/tokenizer/tokenizer_config.h"

namespace dualpath::data {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

/// Templates by their names; most models have one, the default.
using Templates = std::map<std::string, std::string>;

Templates templates_in_files(const fs::path& model) {
  Templates named;
  const fs::path file = model / "chat_template.jinja", others = model / "additional_chat_templates";
  if (fs::exists(file)) named["default"] = read_unless_stand_in(file);
  if (!fs::is_directory(others)) return named;
  for (const fs::path& path : fs::directory_iterator(others))
    if (path.extension() == ".jinja") named[path.stem().string()] = read_unless_stand_in(path);
  return named;
}

Templates templates_in_config(const JsonObject& config) {
  if (!config.contains("chat_template")) return {};
  if (!config.raw()["chat_template"].is_array())
    return {{"default", config.string("chat_template")}};
  Templates named;
  for (const JsonObject& entry : config.objects("chat_template"))
    named[entry.string("name")] = entry.string("template");
  return named;
}

/// Collects the templates of the files or, if there are none, tokenizer_config.json's.
Templates templates_of(const fs::path& model, const Tokenizer& tokenizer) {
  Templates named = templates_in_files(model);
  if (!named.empty()) return named;
  const std::string& config = tokenizer.files().tokenizer_config_json;
  const std::string source = (model / "tokenizer_config.json").string();
  return templates_in_config(JsonObject::parse(config.empty() ? "{}" : config, source));
}

std::string source_of(const fs::path& model, const Tokenizer& tokenizer, bool with_tools) {
  Templates named = templates_of(model, tokenizer);
  if (named.empty()) {
    throw Error(
        "{}: the model has no chat template; expected chat_template.jinja, or chat_template in "
        "tokenizer_config.json",
        model.string());
  }
  if (with_tools && named.contains("tool_use")) return named["tool_use"];
  if (named.contains("default")) return named["default"];
  std::string names;
  for (const auto& [name, text] : named) names += " " + name;
  throw Error("{}: chat templates: expected one named default, got{}", model.string(),
              printable(names));
}

/// Gives a message's thoughts both of their names, "reasoning_content" and "thinking", as
/// transformers does.
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
  const TokenizerConfig config = read_tokenizer_config(tokenizer.files(), /*listed=*/{}, model);
  return {jinja::Template(source_of(model, tokenizer, with_tools), "chat_template"),
          config.special_tokens};
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
