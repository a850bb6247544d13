#include "data/tokenizer/tokenizer.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "data/base/error.h"
#include "data/base/utf8.h"
#include "data/formats/known_keys.h"
#include "data/tokenizer/bpe_reader.h"
#include "data/tokenizer/byte_alphabet.h"
#include "data/tokenizer/gguf_tokenizer.h"
#include "data/tokenizer/nfc.h"

namespace dualpath::data {
namespace {

// Words longer than this hardly come twice.
constexpr std::size_t kLongestCachedWord = 32;

/// Whether a normalizer is NFC; null and an empty Sequence are nothing.
bool reads_nfc(const JsonObject& normalizer) {
  const std::string type = normalizer.string("type");
  if (type == "NFC") {
    refuse_unknown_keys(normalizer, {"type"});
    return true;
  }
  if (type != "Sequence")
    throw Error("{}: expected NFC or null, got {}", normalizer.where(), printable(type));
  refuse_unknown_keys(normalizer, {"type", "normalizers"});
  bool nfc = false;
  for (const JsonObject& member : normalizer.objects("normalizers")) nfc = reads_nfc(member) || nfc;
  return nfc;
}

/// Counts how many times a decoder turns the byte alphabet into bytes.
std::size_t count_byte_levels(const JsonObject& decoder) {
  const std::string type = decoder.string("type");
  if (type == "ByteLevel") {
    refuse_unknown_keys(decoder, {"type", "add_prefix_space", "trim_offsets", "use_regex"});
    return 1;
  }
  if (type != "Sequence")
    throw Error("{}: expected ByteLevel, got {}", decoder.where(), printable(type));
  refuse_unknown_keys(decoder, {"type", "decoders"});
  std::size_t count = 0;
  for (const JsonObject& member : decoder.objects("decoders")) count += count_byte_levels(member);
  return count;
}

JsonObject parse_tokenizer(const std::string& text, const std::filesystem::path& directory) {
  JsonObject description = JsonObject::parse(text, (directory / "tokenizer.json").string());
  refuse_unknown_keys(description,
                      {"version", "truncation", "padding", "added_tokens", "normalizer",
                       "pre_tokenizer", "post_processor", "decoder", "model"});
  const std::string version = description.string_or("version", "1.0");
  if (version != "1.0")
    throw Error("{}: version: expected 1.0, got {}", description.where(), printable(version));
  const JsonObject decoder = description.object("decoder");
  if (const std::size_t count = count_byte_levels(decoder); count != 1)
    throw Error("{}: expected ByteLevel once, got it {} times", decoder.where(), count);
  return description;
}

/// All added tokens by id: those of tokenizer.json, then those of the files beside it.
AddedTokens number(const Vocabulary& vocabulary, const JsonObject& description,
                   const std::vector<AddedToken>& others) {
  std::vector<AddedToken> listed;
  for (auto& [id, token] : read_added_tokens(description)) listed.push_back(std::move(token));
  AddedTokens tokens;
  try {
    add_tokens(vocabulary, listed, tokens);
    add_tokens(vocabulary, others, tokens);
  } catch (const Error& error) {
    throw Error("{}: added_tokens: {}", description.where(), error.what());
  }
  return tokens;
}

/// Added tokens that are normalized are looked for in normalized text.
AddedTokenSplitter make_splitter(AddedTokens tokens, const JsonObject& description) {
  const auto normalizer = description.object_if("normalizer");
  if (!normalizer || !reads_nfc(*normalizer)) return AddedTokenSplitter(tokens);
  for (auto& [id, token] : tokens) {
    if (token.normalized) token.content = to_nfc(token.content);
  }
  return AddedTokenSplitter(tokens, to_nfc);
}

/// Every token by its id, "" for an id without one. Two tokens of one id are an Error.
std::vector<std::string> tokens_by_id(const Vocabulary& vocabulary, const AddedTokens& added,
                                      const std::string& where) {
  std::vector<std::string> tokens;
  const auto add = [&](const std::string& token, std::int32_t id) {
    const auto index = static_cast<std::size_t>(id);
    if (index >= tokens.size()) tokens.resize(index + 1);
    if (!tokens[index].empty() && tokens[index] != token) {
      throw Error("{}: '{}' and '{}' both have id {}", where, tokens[index], token, id);
    }
    tokens[index] = token;
  };
  for (const auto& [token, id] : vocabulary) add(token, id);
  for (const auto& [id, token] : added) add(token.content, id);
  return tokens;
}

/// Encodes words, and remembers the words it has met.
class WordEncoder {
 public:
  WordEncoder(const Bpe& bpe, std::vector<std::int32_t>& ids) : bpe_(bpe), ids_(ids) {}

  void operator()(std::string_view word) {
    if (word.size() > kLongestCachedWord) return bpe_.encode(word, ids_);
    auto known = known_.find(word);
    if (known == known_.end()) {
      known = known_.emplace(word, std::vector<std::int32_t>()).first;
      bpe_.encode(word, known->second);
    }
    ids_.insert(ids_.end(), known->second.begin(), known->second.end());
  }

 private:
  const Bpe& bpe_;
  std::vector<std::int32_t>& ids_;
  StringMap<std::vector<std::int32_t>> known_;
};

}  // namespace

Tokenizer Tokenizer::from_directory(const std::filesystem::path& directory) {
  return Tokenizer(read_tokenizer_files(directory), directory);
}

Tokenizer Tokenizer::from_gguf(const GgufReader& reader) {
  return Tokenizer(tokenizer_files_from_gguf(reader), reader.file()->path());
}

Tokenizer::Tokenizer(TokenizerFiles files, const std::filesystem::path& directory)
    : Tokenizer(files, parse_tokenizer(files.tokenizer_json, directory), directory) {}

Tokenizer::Tokenizer(TokenizerFiles files, const JsonObject& description,
                     const std::filesystem::path& directory)
    : Tokenizer(files, description,
                read_tokenizer_config(files, read_added_tokens(description), directory)) {}

Tokenizer::Tokenizer(TokenizerFiles files, const JsonObject& description,
                     const TokenizerConfig& config)
    : files_(std::move(files)),
      bpe_(read_bpe(description.object("model"))),
      added_tokens_(number(bpe_.vocabulary(), description, config.added)),
      splitter_(make_splitter(added_tokens_, description)),
      pre_tokenizer_(description.object("pre_tokenizer"), config.add_prefix_space),
      post_processor_(read_post_processor(description)) {
  for (const std::string& token :
       tokens_by_id(bpe_.vocabulary(), added_tokens_, description.where())) {
    bytes_of_.push_back(from_byte_alphabet(token).value_or(token));
  }
  const auto id_of = [&](const char* name) {
    const auto token = config.special_tokens.find(name);
    return token == config.special_tokens.end() ? std::nullopt : token_id(token->second);
  };
  special_tokens_ = {.bos = id_of("bos_token"),
                     .eos = id_of("eos_token"),
                     .pad = id_of("pad_token"),
                     .unk = id_of("unk_token")};
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view text) const {
  std::vector<std::int32_t> ids;
  WordEncoder encode_word(bpe_, ids);
  const auto on_text = [&](std::string_view part) {
    pre_tokenizer_.split(part, std::ref(encode_word));
  };
  const auto on_token = [&](std::int32_t id) { ids.push_back(id); };
  if (find_invalid_utf8(text) == std::string_view::npos) {
    splitter_.split(text, on_text, on_token);
  } else {
    splitter_.split(replace_invalid_utf8(text), on_text, on_token);
  }
  return ids;
}

std::vector<std::int32_t> Tokenizer::encode_whole(std::string_view text) const {
  if (!post_processor_.unsupported.empty()) {
    throw Error("tokenizer.json: post_processor: {} is not supported",
                printable(post_processor_.unsupported));
  }
  std::vector<std::int32_t> ids = post_processor_.before;
  for (const std::int32_t id : encode(text)) ids.push_back(id);
  ids.insert(ids.end(), post_processor_.after.begin(), post_processor_.after.end());
  for (const std::int32_t id : ids) {
    if (id >= vocab_size()) throw Error("tokenizer.json: post_processor: there is no token {}", id);
  }
  return ids;
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids) const {
  std::string bytes;
  for (const std::int32_t id : ids) bytes += this->bytes(id);
  return replace_invalid_utf8(bytes);
}

std::string_view Tokenizer::bytes(std::int32_t id) const {
  if (id < 0 || id >= vocab_size()) return {};
  return bytes_of_[static_cast<std::size_t>(id)];
}

std::optional<std::int32_t> Tokenizer::token_id(std::string_view token) const {
  const auto found = bpe_.vocabulary().find(token);
  if (found != bpe_.vocabulary().end()) return found->second;
  const auto added = std::ranges::find_if(
      added_tokens_, [&](const auto& entry) { return entry.second.content == token; });
  return added == added_tokens_.end() ? std::nullopt : std::optional(added->first);
}

}  // namespace dualpath::data
