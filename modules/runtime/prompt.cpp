#include "modules/runtime/prompt.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "data/tokenizer/chat_template.h"
#include "modules/model/media_readers.h"

namespace dualpath::modules {
namespace {

using nlohmann::ordered_json;

/// The content of the user's turn. Files for which the text has no placeholder stand before it.
ordered_json content_of(const Model& model, const Prompt& prompt,
                        const data::MediaReaders& readers) {
  const auto is_placeholder = [&](std::int32_t id) { return readers.is_placeholder(id); };
  if (prompt.files.empty() ||
      std::ranges::any_of(model.tokenizer.encode(prompt.text), is_placeholder))
    return prompt.text;
  ordered_json parts = ordered_json::array();
  for (std::size_t i = 0; i < prompt.files.images.size(); ++i) parts.push_back({{"type", "image"}});
  for (std::size_t i = 0; i < prompt.files.audio.size(); ++i) parts.push_back({{"type", "audio"}});
  parts.push_back({{"type", "text"}, {"text", prompt.text}});
  return parts;
}

std::vector<std::int32_t> prompt_ids(const Model& model, const Prompt& prompt,
                                     const data::MediaReaders& readers) {
  if (!prompt.chat) return model.tokenizer.encode_whole(prompt.text);
  ordered_json messages = ordered_json::array();
  if (!prompt.system.empty()) messages.push_back({{"role", "system"}, {"content", prompt.system}});
  messages.push_back({{"role", "user"}, {"content", content_of(model, prompt, readers)}});
  const auto chat = data::ChatTemplate::of(model.path, model.tokenizer);
  return model.tokenizer.encode(chat.render(messages));
}

}  // namespace

data::Batch make_prompt(const Model& model, const Prompt& prompt) {
  if (prompt.files.empty()) {
    const std::vector<std::int32_t> ids = prompt_ids(model, prompt, {});
    require_no_placeholder(model, ids);
    return data::make_batch(std::array{data::TokenSpan(ids)});
  }
  const data::MediaReaders readers = media_readers(model);
  const data::Tokens whole =
      data::with_placeholders({prompt_ids(model, prompt, readers)}, prompt.files, readers);
  return data::make_batch(std::array{data::TokenSpan(whole)}, std::array{&prompt.files}, readers);
}

}  // namespace dualpath::modules
