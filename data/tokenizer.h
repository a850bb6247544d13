#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/added_tokens.h"
#include "data/bpe.h"
#include "data/formats/gguf.h"
#include "data/post_processor.h"
#include "data/pre_tokenizer.h"

namespace dualpath::data {

/// A tokenizer as a Hugging Face directory holds it.
struct TokenizerFiles {
  std::string tokenizer_json;
  std::string tokenizer_config_json;  // empty if there is none
};

/// The ids that have a meaning of their own, as far as tokenizer_config.json names them.
struct SpecialTokens {
  std::optional<std::int32_t> bos, eos, pad, unk;
};

/// Byte-level BPE, giving the ids that Hugging Face's `tokenizers` gives with
/// add_special_tokens=False: nothing is put around the text, and the file's truncation and padding
/// are not applied. Immutable, so it can be shared between threads.
class Tokenizer {
 public:
  /// Reads tokenizer.json and, if it is there, tokenizer_config.json. Error naming file and key
  /// where the tokenizer is of a kind we do not support (a normalizer but NFC, a model that is no
  /// BPE over bytes).
  static Tokenizer from_directory(const std::filesystem::path& directory);
  /// From the metadata `tokenizer.ggml.*`; see gguf_tokenizer.h.
  static Tokenizer from_gguf(const GgufReader& reader);
  /// directory: where errors say that the files are.
  Tokenizer(TokenizerFiles files, const std::filesystem::path& directory);

  /// Added tokens ("<|im_start|>") inside the text become their ids. Bytes that are no UTF-8 count
  /// as U+FFFD, as in Python's errors="replace".
  std::vector<std::int32_t> encode(std::string_view text) const;
  /// The same with what the tokenizer puts around a text ("add_special_tokens=True"), as before the
  /// start of a text to go on with. Error if that is of a kind we do not know.
  std::vector<std::int32_t> encode_whole(std::string_view text) const;
  /// Added tokens are spelled out, unknown ids left out; a piece of a character becomes U+FFFD.
  std::string decode(std::span<const std::int32_t> ids) const;
  /// What one token adds to a text, which may be a piece of a character; "" for an unknown id.
  std::string_view bytes(std::int32_t id) const;

  /// One more than the largest id: the rows an embedding needs.
  std::int64_t vocab_size() const { return static_cast<std::int64_t>(bytes_of_.size()); }
  /// The token as tokenizer.json spells it: "Ġthe" for " the".
  std::optional<std::int32_t> token_id(std::string_view token) const;
  const SpecialTokens& special_tokens() const { return special_tokens_; }

  /// To put into an exported directory: the files it was read from, or those made from a GGUF file.
  const TokenizerFiles& files() const { return files_; }

 private:
  Tokenizer(TokenizerFiles files, const JsonObject& description);

  TokenizerFiles files_;
  std::vector<AddedToken> added_tokens_;
  AddedTokenSplitter splitter_;
  PreTokenizer pre_tokenizer_;
  Bpe bpe_;
  PostProcessor post_processor_;
  std::vector<std::string> bytes_of_;  // by id: what decode() writes
  SpecialTokens special_tokens_;
};

}  // namespace dualpath::data
