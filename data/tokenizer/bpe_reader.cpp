#include "data/tokenizer/bpe_reader.h"

#include <nlohmann/json.hpp>

#include "data/base/error.h"
#include "data/formats/known_keys.h"

namespace dualpath::data {
namespace {

void refuse_unsupported(const JsonObject& model) {
  // The first files have no type. `tokenizers` then looks at their keys, and these are BPE's.
  const bool is_untyped_bpe = model.contains("vocab") && model.contains("merges");
  const std::string type = is_untyped_bpe ? model.string_or("type", "BPE") : model.string("type");
  if (type != "BPE") throw Error("{}: type: expected BPE, got {}", model.where(), printable(type));
  refuse_unknown_keys(
      model, {"type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix",
              "fuse_unk", "byte_fallback", "ignore_merges", "vocab", "merges"});
  for (const char* affix : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!model.string_or(affix, "").empty())
      throw Error("{}: {} is not supported", model.where(), affix);
  }
  if (model.boolean_or("byte_fallback", false)) {
    throw Error("{}: byte_fallback is not supported", model.where());
  }
  if (model.number_or("dropout", 0) != 0)
    throw Error("{}: dropout is not supported", model.where());
}

Vocabulary read_vocabulary(const JsonObject& object) {
  Vocabulary vocabulary;
  for (std::string& token : object.keys()) {
    const auto id = static_cast<std::int32_t>(object.integer(token, kTokenIds));
    vocabulary.emplace(std::move(token), id);
  }
  return vocabulary;
}

/// Reads a merge: either "a b", GPT-2's form, or ["a", "b"].
std::pair<std::string, std::string> read_merge(const nlohmann::json& merge,
                                               const std::string& where) {
  if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
    return {merge[0], merge[1]};
  }
  if (merge.is_string()) {
    const auto& text = merge.get_ref<const std::string&>();
    const std::size_t space = text.find(' ');
    if (space != std::string::npos) return {text.substr(0, space), text.substr(space + 1)};
  }
  throw Error(R"({}: merges: expected "a b" or ["a", "b"], got {})", where, merge.dump());
}

Bpe::Merges read_merges(const JsonObject& model) {
  const nlohmann::json& raw = model.raw();
  const auto list = raw.find("merges");
  if (list == raw.end() || !list->is_array())
    throw Error("{}: merges: expected an array", model.where());
  Bpe::Merges merges;
  merges.reserve(list->size());
  for (const nlohmann::json& merge : *list) merges.push_back(read_merge(merge, model.where()));
  return merges;
}

}  // namespace

Bpe read_bpe(const JsonObject& model) {
  refuse_unsupported(model);
  Vocabulary vocabulary = read_vocabulary(model.object("vocab"));
  BpeOptions options{.ignore_merges = model.boolean_or("ignore_merges", false),
                     .fuse_unknown = model.boolean_or("fuse_unk", false)};
  if (model.contains("unk_token")) {
    const auto unknown = vocabulary.find(model.string("unk_token"));
    if (unknown == vocabulary.end()) {
      throw Error("{}: unk_token: '{}' is not in vocab", model.where(), model.string("unk_token"));
    }
    options.unknown = unknown->second;
  }
  const Bpe::Merges merges = read_merges(model);
  try {
    return Bpe(std::move(vocabulary), merges, options);
  } catch (const Error& error) {
    throw Error("{}: {}", model.where(), error.what());
  }
}

}  // namespace dualpath::data
