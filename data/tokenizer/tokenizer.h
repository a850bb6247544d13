#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/formats/gguf.h"
#include "data/tokenizer/added_tokens.h"
#include "data/tokenizer/bpe.h"
#include "data/tokenizer/post_processor.h"
#include "data/tokenizer/pre_tokenizer.h"
#include "data/tokenizer/tokenizer_config.h"
#include "data/tokenizer/tokenizer_files.h"

namespace dualpath::data {

/// The ids that have a meaning of their own, as far as the files beside tokenizer.json name them.
struct SpecialTokens {
  std::optional<std::int32_t> bos, eos, pad, unk;
};

/// Byte-level BPE, giving the ids that transformers' AutoTokenizer gives with
/// add_special_tokens=False: nothing is put around the text, and the file's truncation and padding
/// are not applied. But normalizer, pre_tokenizer and model are always tokenizer.json's, as in
/// `tokenizers`; transformers 5 puts some classes' own (tokenizer_class GPT2Tokenizer, …) in their
/// place. Immutable, so it can be shared between threads.
class Tokenizer {
 public:
  /// Reads tokenizer.json and, as far as they are there, the files beside it; see
  /// tokenizer_config.h. Error naming file and key where the tokenizer is of a kind we do not
  /// support (a normalizer but NFC, a model that is no BPE over bytes) or a key is unknown.
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
  Tokenizer(TokenizerFiles files, const JsonObject& description,
            const std::filesystem::path& directory);
  Tokenizer(TokenizerFiles files, const JsonObject& description, const TokenizerConfig& config);

  TokenizerFiles files_;
  Bpe bpe_;
  AddedTokens added_tokens_;
  AddedTokenSplitter splitter_;
  PreTokenizer pre_tokenizer_;
  PostProcessor post_processor_;
  std::vector<std::string> bytes_of_;  // by id: what decode() writes
  SpecialTokens special_tokens_;
};

}  // namespace dualpath::data
