#include "data/tokenizer/gguf_tokenizer.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "data/base/error.h"
#include "data/base/utf8.h"

namespace dualpath::data {
namespace {

using nlohmann::json;

// llama.cpp's kinds of token, from 0 (not said) to 6 (a byte, where a vocabulary is no BPE).
constexpr int kControl = 3;
constexpr int kUserDefined = 4;
constexpr int kLastKind = 6;

constexpr std::array<std::string_view, 12> kUsedKeys{"ggml.model",
                                                     "ggml.pre",
                                                     "ggml.tokens",
                                                     "ggml.token_type",
                                                     "ggml.merges",
                                                     "ggml.bos_token_id",
                                                     "ggml.eos_token_id",
                                                     "ggml.padding_token_id",
                                                     "ggml.unknown_token_id",
                                                     "ggml.add_bos_token",
                                                     "ggml.add_eos_token",
                                                     "chat_template"};
// Keys without effect on the ids of byte-level BPE: those of other kinds of vocabulary, roles of
// tokens (eot_token_id is the model's affair), and other texts.
constexpr std::array<std::string_view, 22> kIdleKeys{"ggml.scores",
                                                     "ggml.token_type_count",
                                                     "ggml.add_space_prefix",
                                                     "ggml.precompiled_charsmap",
                                                     "ggml.remove_extra_whitespaces",
                                                     "ggml.add_sep_token",
                                                     "ggml.seperator_token_id",
                                                     "ggml.cls_token_id",
                                                     "ggml.mask_token_id",
                                                     "ggml.eot_token_id",
                                                     "ggml.eom_token_id",
                                                     "ggml.fim_pre_token_id",
                                                     "ggml.fim_suf_token_id",
                                                     "ggml.fim_mid_token_id",
                                                     "ggml.fim_pad_token_id",
                                                     "ggml.fim_rep_token_id",
                                                     "ggml.fim_sep_token_id",
                                                     "ggml.prefix_token_id",
                                                     "ggml.suffix_token_id",
                                                     "ggml.middle_token_id",
                                                     "huggingface.json",
                                                     "chat_templates"};

constexpr const char* kPre = "tokenizer.ggml.pre";
constexpr const char* kTemplate = "tokenizer.chat_template";
constexpr std::string_view kNamedTemplates = "tokenizer.chat_template.";  // "….tool_use"

/// Throws an Error naming the first tokenizer key that is not known.
void refuse_unknown_keys(const GgufReader& reader) {
  constexpr std::string_view kPrefix = "tokenizer.";
  for (const auto& [key, value] : reader.metadata()) {
    if (!key.starts_with(kPrefix)) continue;
    const std::string_view name = std::string_view(key).substr(kPrefix.size());
    if (std::ranges::find(kUsedKeys, name) != kUsedKeys.end() ||
        std::ranges::find(kIdleKeys, name) != kIdleKeys.end() || key.starts_with(kNamedTemplates))
      continue;
    throw Error("{}: {} is not supported", reader.file()->path().string(), printable(key));
  }
}

constexpr std::string_view kLlamaPattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

json byte_level(bool use_regex) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", false},
          {"trim_offsets", true},
          {"use_regex", use_regex}};
}

json sequence(json first, json second) {
  return {{"type", "Sequence"}, {"pretokenizers", {std::move(first), std::move(second)}}};
}

json pre_tokenizer(const std::string& name, const std::string& file) {
  if (name == "smollm") {  // every digit apart, then GPT-2's pattern
    return sequence({{"type", "Digits"}, {"individual_digits", true}}, byte_level(true));
  }
  if (name == "llama-bpe") {
    const json split = {{"type", "Split"},
                        {"pattern", {{"Regex", kLlamaPattern}}},
                        {"behavior", "Isolated"},
                        {"invert", false}};
    return sequence(split, byte_level(false));
  }
  if (name == "gpt-2" || name == "default") return byte_level(true);
  throw Error("{}: tokenizer.ggml.pre: expected smollm, gpt-2, default or llama-bpe, got '{}'",
              file, name);
}

/// The tokenizer's metadata, checked: the source of the two files.
class Metadata {
 public:
  explicit Metadata(const GgufReader& reader)
      : reader_(reader),
        tokens_(reader.require<std::vector<std::string>>("tokenizer.ggml.tokens")),
        kinds_(reader.require<std::vector<int>>("tokenizer.ggml.token_type")) {
    refuse_unknown_keys(reader);
    const auto model = reader.require<std::string>("tokenizer.ggml.model");
    if (model != "gpt2") {
      throw Error("{}: tokenizer.ggml.model: expected gpt2 (BPE over bytes), got '{}'", file(),
                  model);
    }
    if (kinds_.size() != tokens_.size()) {
      throw Error("{}: {} tokens but {} token types", file(), tokens_.size(), kinds_.size());
    }
    for (const int kind : kinds_) {
      if (kind >= 0 && kind <= kLastKind) continue;
      throw Error("{}: tokenizer.ggml.token_type: expected 0 to {}, got {}", file(), kLastKind,
                  kind);
    }
    check_utf8("tokenizer.ggml.tokens", tokens_);
  }

  json tokenizer() const {
    const auto pre = reader_.require<std::string>(kPre);
    return {{"version", "1.0"},
            {"truncation", nullptr},
            {"padding", nullptr},
            {"added_tokens", added_tokens()},
            {"normalizer", nullptr},
            {"pre_tokenizer", pre_tokenizer(pre, file())},
            {"post_processor", post_processor()},
            {"decoder", byte_level(true)},
            {"model", bpe(/*ignore_merges=*/pre == "llama-bpe")}};
  }

  json config() const {
    json config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                   {"clean_up_tokenization_spaces", false}};
    const std::array<std::pair<const char*, const char*>, 4> names{{{"bos_token", "bos"},
                                                                    {"eos_token", "eos"},
                                                                    {"pad_token", "padding"},
                                                                    {"unk_token", "unknown"}}};
    for (const auto& [key, name] : names) {
      if (const auto id = special_id(name)) config[key] = tokens_[*id];
    }
    const json templates = chat_templates();
    if (templates.empty()) return config;
    const bool is_one = templates.size() == 1 && reader_.contains(kTemplate);
    config["chat_template"] = is_one ? templates[0]["template"] : templates;
    return config;
  }

 private:
  std::string file() const { return reader_.file()->path().string(); }

  void check_utf8(std::string_view key, const std::vector<std::string>& texts) const {
    for (const std::string& text : texts) {
      if (find_invalid_utf8(text) != std::string::npos)
        throw Error("{}: {}: not UTF-8", file(), key);
    }
  }

  std::optional<std::size_t> special_id(std::string_view name) const {
    const std::string key = fmt::format("tokenizer.ggml.{}_token_id", name);
    if (!reader_.contains(key)) return std::nullopt;
    const auto id = reader_.require<std::size_t>(key);
    if (id >= tokens_.size())
      throw Error("{}: {}: {} of {} tokens", file(), key, id, tokens_.size());
    return id;
  }

  /// [{"name": "tool_use", "template": …}, …]. If a name comes twice, the last counts.
  json chat_templates() const {
    json templates = json::array();
    const auto add = [&](const std::string& name, const std::string& key) {
      templates.push_back({{"name", name}, {"template", reader_.require<std::string>(key)}});
    };
    for (const auto& [key, value] : reader_.metadata())
      if (key.starts_with(kNamedTemplates)) add(key.substr(kNamedTemplates.size()), key);
    if (reader_.contains(kTemplate)) add("default", kTemplate);
    return templates;
  }

  json added_tokens() const {
    json added = json::array();
    for (std::size_t id = 0; id < tokens_.size(); ++id) {
      if (kinds_[id] != kControl && kinds_[id] != kUserDefined) continue;
      added.push_back({{"id", id},
                       {"content", tokens_[id]},
                       {"single_word", false},
                       {"lstrip", false},
                       {"rstrip", false},
                       {"normalized", false},
                       {"special", kinds_[id] == kControl}});
    }
    return added;
  }

  json vocabulary() const {
    json vocabulary = json::object();
    for (std::size_t id = 0; id < tokens_.size(); ++id) {
      if (!vocabulary.emplace(tokens_[id], id).second) {
        throw Error("{}: tokenizer.ggml.tokens: '{}' stands there twice", file(), tokens_[id]);
      }
    }
    return vocabulary;
  }

  json bpe(bool ignore_merges) const {
    const auto merges = reader_.require<std::vector<std::string>>("tokenizer.ggml.merges");
    check_utf8("tokenizer.ggml.merges", merges);
    return {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", nullptr},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", false},
            {"byte_fallback", false},
            {"ignore_merges", ignore_merges},
            {"vocab", vocabulary()},
            {"merges", merges}};
  }

  /// The token that stands before or behind every text, if the model wants one and has it.
  std::optional<std::size_t> around(std::string_view name) const {
    // llama.cpp puts a first token before every text of such a model, unless the file says no.
    // (transformers' import looks at the key alone.)
    const bool by_default = name == "bos" && reader_.require<std::string>(kPre) == "llama-bpe";
    const bool wanted =
        reader_.get_or(fmt::format("tokenizer.ggml.add_{}_token", name), by_default);
    return wanted ? special_id(name) : std::nullopt;
  }

  json post_processor() const {
    const auto first = around("bos"), last = around("eos");
    if (!first && !last) return nullptr;
    json single = json::array(), pair = json::array(), special_tokens = json::object();
    const auto put_special = [&](const std::optional<std::size_t>& id) {
      if (!id) return;
      const std::string& token = tokens_[*id];
      for (json* side : {&single, &pair})
        side->push_back({{"SpecialToken", {{"id", token}, {"type_id", 0}}}});
      special_tokens[token] = {{"id", token}, {"ids", {*id}}, {"tokens", {token}}};
    };
    put_special(first);
    for (json* side : {&single, &pair})
      side->push_back({{"Sequence", {{"id", "A"}, {"type_id", 0}}}});
    pair.push_back({{"Sequence", {{"id", "B"}, {"type_id", 1}}}});
    put_special(last);
    return {{"type", "TemplateProcessing"},
            {"single", single},
            {"pair", pair},
            {"special_tokens", special_tokens}};
  }

  const GgufReader& reader_;
  std::vector<std::string> tokens_;
  std::vector<int> kinds_;
};

}  // namespace

TokenizerFiles tokenizer_files_from_gguf(const GgufReader& reader) {
  const Metadata metadata(reader);
  return {.tokenizer_json = metadata.tokenizer().dump(),
          .tokenizer_config_json = metadata.config().dump(/*indent=*/2)};
}

}  // namespace dualpath::data
