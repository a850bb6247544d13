#pragma once

#include <ctime>
#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "data/jinja/template.h"
#include "data/tokenizer/tokenizer.h"

namespace dualpath::data {

/// How a model writes a conversation down: "<|im_start|>user\n…". Rendered as transformers'
/// apply_chat_template does; see jinja/template.h for what templates may contain.
class ChatTemplate {
 public:
  /// model: a directory with chat_template.jinja and additional_chat_templates/NAME.jinja, or whose
  /// tokenizer_config.json has a "chat_template" (a text, or a list of named ones), or a GGUF file
  /// with "tokenizer.chat_template" and "tokenizer.chat_template.NAME". The one named "default" is
  /// taken, or "tool_use" where there are tools and it is there. Error if there is none.
  static ChatTemplate of(const std::filesystem::path& model, const Tokenizer& tokenizer,
                         bool with_tools = false);

  /// messages: [{"role": …, "content": …}, …]. At the end comes what begins an answer. The text
  /// holds all special tokens, so it is for Tokenizer::encode(), not encode_whole().
  std::string render(const nlohmann::ordered_json& messages) const;

  /// The same with all that a template can be given: messages, add_generation_prompt, tools,
  /// documents, and what else the caller knows; the special tokens' texts (bos_token, …) unless
  /// they are there. Messages' thoughts go by both "reasoning_content" and "thinking".
  jinja::Rendering render(nlohmann::ordered_json variables, const std::tm& now) const;

 private:
  ChatTemplate(jinja::Template parsed, std::map<std::string, std::string> special_tokens)
      : template_(std::move(parsed)), special_tokens_(std::move(special_tokens)) {}

  jinja::Template template_;
  std::map<std::string, std::string> special_tokens_;  // "bos_token" → "<s>"
};

}  // namespace dualpath::data
