#pragma once

#include <ctime>
#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "data/jinja/template.h"
#include "data/tokenizer/tokenizer.h"

namespace dualpath::data {

/// A model's way to write a conversation: "<|im_start|>user\n…". Renders like transformers'
/// apply_chat_template; jinja/template.h says what templates may contain.
class ChatTemplate {
 public:
  /// model: a directory with chat_template.jinja and additional_chat_templates/NAME.jinja, or whose
  /// tokenizer_config.json has a "chat_template" (a text, or a list of named ones), or a GGUF file
  /// with "tokenizer.chat_template" and "tokenizer.chat_template.NAME". Takes the one named
  /// "default", or "tool_use" if there are tools and that exists. No template is an Error.
  static ChatTemplate of(const std::filesystem::path& model, const Tokenizer& tokenizer,
                         bool with_tools = false);

  /// Renders messages, [{"role": …, "content": …}, …], with the prompt for an answer at the end.
  /// The text holds all special tokens, so it is for Tokenizer::encode(), not encode_whole().
  std::string render(const nlohmann::ordered_json& messages) const;

  /// Renders with all variables that a template can have: messages, add_generation_prompt, tools,
  /// documents, and others of the caller's. The special tokens' texts (bos_token, …) are added
  /// unless they are there. Messages' thoughts get both names, "reasoning_content" and "thinking".
  jinja::Rendering render(nlohmann::ordered_json variables, const std::tm& now) const;

 private:
  ChatTemplate(jinja::Template parsed, std::map<std::string, std::string> special_tokens)
      : template_(std::move(parsed)), special_tokens_(std::move(special_tokens)) {}

  jinja::Template template_;
  std::map<std::string, std::string> special_tokens_;  // "bos_token" → "<s>"
};

}  // namespace dualpath::data
