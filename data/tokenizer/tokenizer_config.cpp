#include "data/tokenizer/tokenizer_config.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>
#include <unordered_set>

#include "data/base/error.h"

namespace dualpath::data {
namespace {

using Listed = std::vector<std::pair<std::int32_t, AddedToken>>;
using Named = std::vector<std::pair<std::string, AddedToken>>;
using Texts = std::unordered_set<std::string>;

constexpr const char* kDecoder = "added_tokens_decoder";
constexpr const char* kExtra = "extra_special_tokens";
constexpr const char* kAdditional = "additional_special_tokens";  // its older name
constexpr const char* kOwn = "model_specific_special_tokens";     // save_pretrained's name

// The order in which new ones get their ids.
constexpr std::array kSpecialNames{"bos_token", "eos_token", "unk_token", "sep_token",
                                   "pad_token", "cls_token", "mask_token"};

bool is_special_name(const std::string& key) {
  return std::ranges::find(kSpecialNames, key) != kSpecialNames.end();
}

/// A file beside tokenizer.json, with its keys in their order, which numbers tokens.
class File {
 public:
  File(const std::string& text, const std::filesystem::path& path)
      : object_(JsonObject::parse(text.empty() ? "{}" : text, path.string())) {
    if (!text.empty()) note_order(text);
  }

  const JsonObject& object() const { return object_; }
  const std::vector<std::string>& keys_in_order() const { return keys_; }
  bool has(const std::string& key) const {
    return object_.raw().contains(key);
  }  // a null counts, too

  AddedToken token(const std::string& key) const { return read(object_.raw()[key], key); }

  /// The tokens of a list. Nothing if the key is missing or stands for an object; no tokens if it
  /// is null. special: the tokens that are special even if they do not say so; if null, all are.
  std::optional<std::vector<AddedToken>> list(const std::string& key,
                                              const Texts* special = nullptr) const {
    if (!has(key) || object_.raw()[key].is_object()) return std::nullopt;
    std::vector<AddedToken> tokens;
    if (!object_.contains(key)) return tokens;
    if (!object_.raw()[key].is_array()) object_.objects(key);  // the Error: expected an array
    for (const auto& value : object_.raw()[key]) tokens.push_back(read(value, key, special));
    return tokens;
  }

  /// The tokens under a key that are texts, not objects: one, or some of a list.
  Texts texts(const std::string& key) const {
    Texts texts;
    if (!has(key)) return texts;
    const nlohmann::json& value = object_.raw()[key];
    for (const auto& token : value.is_array() ? value : nlohmann::json::array({value}))
      if (token.is_string()) texts.insert(token.get<std::string>());
    return texts;
  }

  /// The object {"image_token": "<image>"} under a key, in the file's order.
  Named dictionary(const std::string& key) const {
    Named tokens;
    if (!object_.contains(key) || !object_.raw()[key].is_object()) return tokens;
    const auto names = keys_within_.find(key);
    if (names == keys_within_.end()) return tokens;  // it is empty
    for (const std::string& name : names->second)
      tokens.emplace_back(name, read(object_.raw()[key][name], key + "." + name));
    return tokens;
  }

  /// Keys of tokens that only this model has ("image_token"), in the file's order. add_bos_token, a
  /// boolean, is none of them.
  std::vector<std::string> own_names() const {
    std::vector<std::string> names;
    for (const std::string& key : keys_) {
      const nlohmann::json& value = object_.raw()[key];
      const bool is_token = value.is_string() || value.is_object();
      if (is_token && key.ends_with("_token") && !is_special_name(key)) names.push_back(key);
    }
    return names;
  }

 private:
  void note_order(const std::string& text) {
    using Json = nlohmann::json;
    const auto note = [&](int depth, Json::parse_event_t event, const Json& parsed) {
      if (event != Json::parse_event_t::key) return true;
      if (depth == 1) keys_.push_back(parsed);
      if (depth == 2) keys_within_[keys_.back()].push_back(parsed);
      return true;
    };
    std::ignore = Json::parse(text, note);  // the text is known to be JSON
  }

  AddedToken read(const nlohmann::json& value, const std::string& key,
                  const Texts* special = nullptr) const {
    if (value.is_string()) return {.content = value.get<std::string>()};
    const std::string where = fmt::format("{}: {}", object_.where(), printable(key));
    if (!value.is_object())
      throw Error("{}: expected a text or an object, got {}", where, printable(value.dump()));
    const JsonObject token = JsonObject::parse(value.dump(), where);
    return read_added_token(token, !special || special->contains(token.string("content")));
  }

  JsonObject object_;
  std::vector<std::string> keys_;
  StringMap<std::vector<std::string>> keys_within_;  // the keys of objects under a key
};

/// Joins the content of the files like PreTrainedTokenizerBase._from_pretrained.
class Reader {
 public:
  Reader(const TokenizerFiles& files, const Listed& listed, const std::filesystem::path& directory)
      : listed_(listed), config_(files.tokenizer_config_json, directory / "tokenizer_config.json") {
    if (!config_.has(kDecoder)) {
      map_.emplace(files.special_tokens_map_json, directory / "special_tokens_map.json");
      if (!files.added_tokens_json.empty())
        added_.emplace(files.added_tokens_json, directory / "added_tokens.json");
    }
    named_ = read_named();
    for (const auto& [name, token] : named_) special_.insert(token.content);
  }

  const JsonObject& config() const { return config_.object(); }

  const Named& named() const { return named_; }

  /// All tokens behind tokenizer.json's: first the tokens with ids, which only give their order
  /// here; then the special ones that are not among them. A text may come twice, with other
  /// options.
  std::vector<AddedToken> added() const {
    std::vector<AddedToken> tokens;
    Texts known;
    for (const auto& [id, token] : listed_) known.insert(token.content);
    for (const auto& [id, token] : decoder()) {
      known.insert(token.content);
      tokens.push_back(token);
    }
    std::set<std::tuple<std::string, bool, bool, bool>> is_added;
    const auto add = [&](const AddedToken& t) {
      if (known.contains(t.content)) return;
      if (is_added.emplace(t.content, t.normalized, t.lstrip, t.rstrip).second) tokens.push_back(t);
    };
    for (const auto& [name, token] : named_) add(token);
    for (const AddedToken& token : extra()) add(token);
    return tokens;
  }

 private:
  /// Reads bos_token and its like, then tokens of the model's own names. A key of
  /// special_tokens_map.json replaces the same key of tokenizer_config.json, even if it is null.
  Named read_named() const {
    Named tokens;
    StringMap<std::size_t> places;
    const auto put = [&](const std::string& name, AddedToken token) {
      const auto [place, is_new] = places.emplace(name, tokens.size());
      if (is_new) {
        tokens.emplace_back(name, std::move(token));
      } else {
        tokens[place->second].second = std::move(token);
      }
    };
    for (const std::string name : kSpecialNames) {
      const File& file = map_ && map_->has(name) ? *map_ : config_;
      if (file.object().contains(name)) put(name, file.token(name));
    }
    // transformers comes upon the texts of tokenizer_config.json last.
    const auto is_text = [&](const auto& name) { return config().raw()[name].is_string(); };
    std::vector<std::string> own = config_.own_names();
    const auto texts = std::stable_partition(own.begin(), own.end(), std::not_fn(is_text));
    for (auto name = own.begin(); name != texts; ++name) put(*name, config_.token(*name));
    if (map_)
      for (const std::string& name : map_->own_names()) put(name, map_->token(name));
    for (auto name = texts; name != own.end(); ++name) put(*name, config_.token(*name));
    Named extra = config_.dictionary(extra_key());
    // transformers replaces the file's value of this key by those texts and these.
    if (texts == own.end() && extra.empty()) extra = config_.dictionary(kOwn);
    for (auto& [name, token] : extra) put(name, std::move(token));
    if (map_)
      for (auto& [name, token] : map_->dictionary(kExtra)) put(name, std::move(token));
    return tokens;
  }

  /// The key of tokenizer_config.json that counts: the older one if the newer is missing or empty.
  const char* extra_key() const {
    const bool has_extra = config_.has(kExtra) && !config().raw()[kExtra].empty();
    return has_extra || !config_.has(kAdditional) ? kExtra : kAdditional;
  }

  /// special_tokens_map.json adds a list to that of tokenizer_config.json; an object or null there
  /// takes its place.
  bool map_replaces_extra() const {
    return map_ && map_->has(kExtra) && !map_->object().raw()[kExtra].is_array();
  }

  /// Special tokens without a name.
  std::vector<AddedToken> extra() const {
    std::optional<std::vector<AddedToken>> extra;
    if (!map_replaces_extra()) extra = config_.list(extra_key(), &special_);
    std::optional<std::vector<AddedToken>> additional;
    if (extra_key() != kAdditional) additional = config_.list(kAdditional, &special_);
    if (map_) {
      if (auto list = map_->list(kAdditional)) additional = std::move(list);
      if (const auto list = map_->list(kExtra)) {
        if (!extra) extra.emplace();
        extra->insert(extra->end(), list->begin(), list->end());
      }
    }
    if (!extra) extra = std::move(additional);
    return extra ? std::move(*extra) : std::vector<AddedToken>();
  }

  AddedTokens decoder() const {
    if (config_.has(kDecoder)) return decoder_of_config();
    AddedTokens tokens;
    if (added_) tokens = tokens_of_added();
    for (const auto& [id, token] : listed_) tokens[id] = token;
    return tokens;
  }

  /// "added_tokens_decoder": {"151643": {"content": "<|endoftext|>", …}, …}.
  AddedTokens decoder_of_config() const {
    AddedTokens tokens;
    const JsonObject decoder = config().object(kDecoder);
    for (const std::string& key : decoder.keys()) {
      std::int32_t id = -1;
      const char* const end = key.data() + key.size();
      if (std::from_chars(key.data(), end, id).ptr != end || id < 0)
        throw Error("{}: expected an id, got {}", decoder.where(), printable(key));
      const JsonObject token = decoder.object(key);
      tokens[id] = read_added_token(token, special_.contains(token.string("content")));
    }
    return tokens;
  }

  /// The tokens that transformers calls special when it comes to added_tokens.json. By then it has
  /// not looked into the objects of tokenizer_config.json.
  Texts special_among_added() const {
    Texts special;
    if (!map_replaces_extra()) special = config_.texts(extra_key());
    const auto of_map = map_->list(kExtra).value_or(std::vector<AddedToken>());
    for (const AddedToken& token : of_map) special.insert(token.content);
    for (const std::string name : kSpecialNames) {
      if (!map_->has(name)) {
        special.merge(config_.texts(name));
      } else if (map_->object().contains(name)) {
        special.insert(map_->token(name).content);
      }
    }
    return special;
  }

  /// {"<|im_end|>": 151645, …}: special ones are not normalized.
  AddedTokens tokens_of_added() const {
    const Texts special = special_among_added();
    AddedTokens tokens;
    for (const std::string& content : added_->keys_in_order()) {
      const auto id = static_cast<std::int32_t>(added_->object().integer(content, kTokenIds));
      tokens[id] = {.content = content, .normalized = !special.contains(content)};
    }
    return tokens;
  }

  const Listed& listed_;
  File config_;
  std::optional<File> map_;    // set only if special_tokens_map.json counts
  std::optional<File> added_;  // added_tokens.json, likewise
  Named named_;
  Texts special_;  // the texts of special tokens
};

void refuse_unsupported(const JsonObject& config) {
  if (config.boolean_or("split_special_tokens", false))
    throw Error("{}: split_special_tokens: true is not supported", config.where());
  std::ignore = config.object_if(kOwn);  // the Error: expected an object
  for (const std::string& key : config.keys()) {
    const nlohmann::json& value = config.raw()[key];
    // transformers keeps such an object and adds no token.
    if (!key.ends_with("_token") || is_special_name(key) || !value.is_object()) continue;
    if (!value.contains("__type"))
      throw Error("{}: {}: expected a text, got an object", config.where(), printable(key));
  }
  if (!config.contains("fast_tokenizer_files")) return;
  for (const std::string& file : config.strings("fast_tokenizer_files")) {
    if (file == "tokenizer.json") continue;
    throw Error("{}: fast_tokenizer_files: expected tokenizer.json alone, got {}", config.where(),
                printable(file));
  }
}

/// Whether transformers reads the tokenizer with a class that makes the pre-tokenizer itself, by
/// its own add_prefix_space.
bool class_sets_prefix_space(const std::string& model_type, std::string name) {
  constexpr std::array kClasses{"GPT2Tokenizer", "Qwen2Tokenizer", "GPTNeoXTokenizer",
                                "CodeGenTokenizer", "CohereTokenizer"};
  if (model_type.starts_with("glm")) return false;  // whichever class is named
  if (model_type == "qwen2" || (model_type == "qwen3" && name.empty())) return true;
  if (name.ends_with("Fast")) name.resize(name.size() - 4);  // the classes' older names
  return std::ranges::find(kClasses, name) != kClasses.end();
}

}  // namespace

TokenizerConfig read_tokenizer_config(const TokenizerFiles& files, const Listed& listed,
                                      const std::filesystem::path& directory) {
  const Reader reader(files, listed, directory);
  const JsonObject& config = reader.config();
  refuse_unsupported(config);
  TokenizerConfig result;
  result.added = reader.added();
  for (const auto& [name, token] : reader.named()) result.special_tokens[name] = token.content;
  if (class_sets_prefix_space(files.model_type, config.string_or("tokenizer_class", "")))
    result.add_prefix_space = config.boolean_or("add_prefix_space", false);
  return result;
}

}  // namespace dualpath::data
