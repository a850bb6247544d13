#pragma once

#include <filesystem>
#include <string>

namespace dualpath::data {

/// The tokenizer files of a Hugging Face directory: the text of each, empty if there is none.
struct TokenizerFiles {
  std::string tokenizer_json;
  std::string tokenizer_config_json = {};
  std::string special_tokens_map_json = {};  // this and the next: of older models
  std::string added_tokens_json = {};
  std::string model_type =
      {};  // config.json's: it decides with which class transformers reads them
};

/// Error if there is no tokenizer.json.
TokenizerFiles read_tokenizer_files(const std::filesystem::path& directory);

}  // namespace dualpath::data
