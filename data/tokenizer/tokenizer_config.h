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

/// Settings that only the files beside a tokenizer.json have, as transformers 5 takes them up.
struct TokenizerConfig {
  std::vector<AddedToken> added;  // behind those of tokenizer.json, in the order of their ids
  std::map<std::string, std::string> special_tokens;  // "eos_token" → "<|im_end|>"
  std::optional<bool> add_prefix_space;  // in the place of tokenizer.json's, where it is set
};

/// Reads tokenizer_config.json and, unless that has added_tokens_decoder, special_tokens_map.json
/// and added_tokens.json, which older models have. Of other keys those that change ids are an Error
/// naming them (split_special_tokens, fast_tokenizer_files); add_bos_token and add_eos_token change
/// none, for where there is a tokenizer.json its post_processor counts.
/// listed: the added tokens of tokenizer.json. directory: where errors say that the files are.
TokenizerConfig read_tokenizer_config(
    const TokenizerFiles& files, const std::vector<std::pair<std::int32_t, AddedToken>>& listed,
    const std::filesystem::path& directory);

}  // namespace dualpath::data
