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

/// The ids with a meaning of their own, if the files beside tokenizer.json name them.
struct SpecialTokens {
  std::optional<std::int32_t> bos, eos, pad, unk;
};

/// Byte-level BPE. Its ids are those of transformers' AutoTokenizer with add_special_tokens=False:
/// nothing is put around the text, and the file's truncation and padding are not applied.
/// Normalizer, pre_tokenizer and model are always tokenizer.json's, as in `tokenizers`;
/// transformers 5 replaces them for some classes (tokenizer_class GPT2Tokenizer, …). Immutable, so
/// it can be shared between threads.
class Tokenizer {
 public:
  /// Reads tokenizer.json and the files beside it that exist; see tokenizer_config.h. An unknown
  /// key is an Error naming file and key. So is a kind of tokenizer that we do not support: a
  /// normalizer but NFC, or a model that is no BPE over bytes.
  static Tokenizer from_directory(const std::filesystem::path& directory);
  /// Reads the metadata `tokenizer.ggml.*`; see gguf_tokenizer.h.
  static Tokenizer from_gguf(const GgufReader& reader);
  /// Reads the texts of the files. directory: their place, for errors.
  Tokenizer(TokenizerFiles files, const std::filesystem::path& directory);

  /// Encodes a text. Added tokens ("<|im_start|>") inside it become their ids. Bytes that are no
  /// UTF-8 count as U+FFFD, as in Python's errors="replace".
  std::vector<std::int32_t> encode(std::string_view text) const;
  /// Encodes a text with the tokens that the tokenizer puts around it ("add_special_tokens=True"),
  /// for the start of a text to go on with. A post-processor of an unknown kind is an Error.
  std::vector<std::int32_t> encode_whole(std::string_view text) const;
  /// Decodes ids. Added tokens are spelled out, unknown ids left out; a piece of a character
  /// becomes U+FFFD.
  std::string decode(std::span<const std::int32_t> ids) const;
  /// The bytes that one token adds to a text, maybe a piece of a character; "" for an unknown id.
  std::string_view bytes(std::int32_t id) const;

  /// One more than the largest id: the rows an embedding needs.
  std::int64_t vocab_size() const { return static_cast<std::int64_t>(bytes_of_.size()); }
  /// The id of a token in tokenizer.json's spelling: "Ġthe" for " the".
  std::optional<std::int32_t> token_id(std::string_view token) const;
  const SpecialTokens& special_tokens() const { return special_tokens_; }

  /// The files for an exported directory: those it was read from, or those made from a GGUF file.
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
  std::vector<std::string> bytes_of_;  // each id's bytes, which decode() writes
  SpecialTokens special_tokens_;
};

}  // namespace dualpath::data
