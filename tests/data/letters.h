#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/text/text.h"
#include "data/tokenizer/tokenizer.h"

namespace dualpath::testing {

/// A tokenizer of three letters, "!" and a space, one byte a token.
inline data::Tokenizer letters(const std::string& config = "") {
  return data::Tokenizer(
      {.tokenizer_json = R"({"added_tokens": [], "decoder": {"type": "ByteLevel"},
         "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
         "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "!": 2, "Ġ": 3, "c": 4}, "merges": []}})",
       .tokenizer_config_json = config},
      "letters");
}

/// Documents of a model that has this chat template, or none.
inline std::vector<data::Document> documents_in(const std::filesystem::path& path,
                                                const std::string& chat_template = "",
                                                bool finds_answers = false) {
  const nlohmann::json config = {{"chat_template", chat_template}};
  const data::Tokenizer tokenizer = letters(chat_template.empty() ? "" : config.dump());
  return data::read_documents(path, data::ConversationWriter("letters", tokenizer, finds_answers));
}

}  // namespace dualpath::testing
