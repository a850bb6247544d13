#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "data/tokenizer/added_tokens.h"
#include "data/tokenizer/tokenizer_files.h"

namespace dualpath::data {

/// Settings that only the files beside a tokenizer.json have, read as by transformers 5.
struct TokenizerConfig {
  std::vector<AddedToken> added;  // behind those of tokenizer.json, in the order of their ids
  std::map<std::string, std::string> special_tokens;  // "eos_token" → "<|im_end|>"
  std::optional<bool> add_prefix_space;               // replaces tokenizer.json's, if set
};

/// Reads tokenizer_config.json and, unless that has added_tokens_decoder, older models'
/// special_tokens_map.json and added_tokens.json. Other keys that change ids are an Error naming
/// them (split_special_tokens, fast_tokenizer_files). add_bos_token and add_eos_token change none:
/// the post_processor of tokenizer.json counts.
/// listed: the added tokens of tokenizer.json. directory: the files' place, for errors.
TokenizerConfig read_tokenizer_config(
    const TokenizerFiles& files, const std::vector<std::pair<std::int32_t, AddedToken>>& listed,
    const std::filesystem::path& directory);

}  // namespace dualpath::data
