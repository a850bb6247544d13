#include "modules/runtime/prompt.h"

#include <array>
#include <nlohmann/json.hpp>

#include "data/tokenizer/chat_template.h"
#include "modules/model/media_readers.h"

namespace dualpath::modules {
namespace {

std::vector<std::int32_t> prompt_ids(const Model& model, const Prompt& prompt) {
  if (!prompt.chat) return model.tokenizer.encode_whole(prompt.text);
  nlohmann::ordered_json messages = nlohmann::ordered_json::array();
  if (!prompt.system.empty()) messages.push_back({{"role", "system"}, {"content", prompt.system}});
  messages.push_back({{"role", "user"}, {"content", prompt.text}});
  const auto chat = data::ChatTemplate::of(model.path, model.tokenizer);
  return model.tokenizer.encode(chat.render(messages));
}

}  // namespace

data::Batch make_prompt(const Model& model, const Prompt& prompt) {
  const std::vector<std::int32_t> ids = prompt_ids(model, prompt);
  if (prompt.files.images.empty() && prompt.files.audio.empty()) {
    require_no_placeholder(model, ids);
    return data::make_batch(std::array{data::TokenSpan(ids)});
  }
  const data::MediaReaders readers = media_readers(model);
  const data::Tokens whole = data::with_placeholders({ids}, prompt.files, readers);
  return data::make_batch(std::array{data::TokenSpan(whole)}, std::array{&prompt.files}, readers);
}

}  // namespace dualpath::modules
