#pragma once

#include <filesystem>
#include <string>

namespace dualpath::data {

/// A tokenizer as a Hugging Face directory holds it: the text of each file, empty if there is none.
struct TokenizerFiles {
  std::string tokenizer_json;
  std::string tokenizer_config_json = {};
  std::string special_tokens_map_json = {};  // of older models, as the next
  std::string added_tokens_json = {};
  std::string model_type =
      {};  // config.json's: it decides with which class transformers reads them
};

/// Error if there is no tokenizer.json.
TokenizerFiles read_tokenizer_files(const std::filesystem::path& directory);

}  // namespace dualpath::data
