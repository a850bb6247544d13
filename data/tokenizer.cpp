#include "data/tokenizer.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "data/base/error.h"
#include "data/base/file.h"
#include "data/bpe_reader.h"
#include "data/byte_alphabet.h"
#include "data/gguf_tokenizer.h"
#include "data/nfc.h"
#include "data/utf8.h"

namespace dualpath::data {
namespace {

// The largest we know, of a quarter of a million tokens with merges, has 33 MB.
constexpr std::uint64_t kMaxTokenizerBytes = 256 << 20;

// Words longer than this hardly come twice.
constexpr std::size_t kLongestCachedWord = 32;

JsonObject parse_tokenizer(const std::string& text, const std::filesystem::path& directory) {
  JsonObject description = JsonObject::parse(text, (directory / "tokenizer.json").string());
  const JsonObject decoder = description.object("decoder");
  if (decoder.string("type") != "ByteLevel") {
    throw Error("{}: expected ByteLevel, got {}", decoder.where(), decoder.string("type"));
  }
  return description;
}

bool reads_nfc(const JsonObject& description) {
  const auto normalizer = description.object_if("normalizer");
  if (!normalizer) return false;
  const std::string type = normalizer->string("type");
  if (type != "NFC") throw Error("{}: expected NFC or null, got {}", normalizer->where(), type);
  return true;
}

/// Added tokens that are normalized are looked for in normalized text.
AddedTokenSplitter make_splitter(std::vector<AddedToken> tokens, bool nfc) {
  if (!nfc) return AddedTokenSplitter(tokens);
  for (AddedToken& token : tokens) {
    if (token.normalized) token.content = to_nfc(token.content);
  }
  return AddedTokenSplitter(tokens, to_nfc);
}

/// Every token by its id, "" where there is none. Error if two share an id or one has two.
std::vector<std::string> tokens_by_id(const Vocabulary& vocabulary,
                                      const std::vector<AddedToken>& added,
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
  for (const AddedToken& token : added) {
    const auto known = vocabulary.find(token.content);
    if (known != vocabulary.end() && known->second != token.id) {
      throw Error("{}: '{}' has ids {} and {}", where, token.content, known->second, token.id);
    }
    add(token.content, token.id);
  }
  return tokens;
}

/// config's "eos_token": a string or, in older files, an object with "content".
std::optional<std::int32_t> special_token(const Tokenizer& tokenizer, const JsonObject& config,
                                          const std::string& key) {
  if (!config.contains(key)) return std::nullopt;
  const bool is_object = config.raw()[key].is_object();
  const std::string token = is_object ? config.object(key).string("content") : config.string(key);
  const std::optional<std::int32_t> id = tokenizer.token_id(token);
  if (!id) throw Error("{}: {}: '{}' is not in the vocabulary", config.where(), key, token);
  return id;
}

/// Encodes words, remembering those it has met.
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
  const std::filesystem::path config = directory / "tokenizer_config.json";
  const bool has_config = std::filesystem::exists(config);
  return Tokenizer({read_file(directory / "tokenizer.json", kMaxTokenizerBytes),
                    has_config ? read_file(config, kMaxJsonBytes) : ""},
                   directory);
}

Tokenizer Tokenizer::from_gguf(const GgufReader& reader) {
  return Tokenizer(tokenizer_files_from_gguf(reader), reader.file()->path());
}

Tokenizer::Tokenizer(TokenizerFiles files, const std::filesystem::path& directory)
    : Tokenizer(files, parse_tokenizer(files.tokenizer_json, directory)) {
  if (files.tokenizer_config_json.empty()) return;
  const std::filesystem::path path = directory / "tokenizer_config.json";
  const JsonObject config = JsonObject::parse(files.tokenizer_config_json, path.string());
  special_tokens_ = {.bos = special_token(*this, config, "bos_token"),
                     .eos = special_token(*this, config, "eos_token"),
                     .pad = special_token(*this, config, "pad_token"),
                     .unk = special_token(*this, config, "unk_token")};
}

Tokenizer::Tokenizer(TokenizerFiles files, const JsonObject& description)
    : files_(std::move(files)),
      added_tokens_(read_added_tokens(description)),
      splitter_(make_splitter(added_tokens_, reads_nfc(description))),
      pre_tokenizer_(description.object("pre_tokenizer")),
      bpe_(read_bpe(description.object("model"))),
      post_processor_(read_post_processor(description)) {
  for (const std::string& token :
       tokens_by_id(bpe_.vocabulary(), added_tokens_, description.where())) {
    bytes_of_.push_back(from_byte_alphabet(token).value_or(token));
  }
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
  const auto added = std::ranges::find(added_tokens_, token, &AddedToken::content);
  return added == added_tokens_.end() ? std::nullopt : std::optional(added->id);
}

}  // namespace dualpath::data
