#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/formats/json.h"
#include "data/tokenizer/vocabulary.h"

namespace dualpath::data {

/// A token that stands for itself wherever it appears in a text: "<|im_start|>".
struct AddedToken {
  std::string content;
  bool normalized = false;              // such tokens are looked for after the others
  bool lstrip = false, rstrip = false;  // takes the white space before it, behind it
};

/// Reads an object with the fields of an AddedToken. single_word and unknown keys are an Error that
/// names the token. special: whether the token is special even if the object does not say so.
/// Special tokens are not normalized unless the object says so.
AddedToken read_added_token(const JsonObject& token, bool special = false);

/// The "added_tokens" of a tokenizer.json, each with the id it has there; none if it has none.
std::vector<std::pair<std::int32_t, AddedToken>> read_added_tokens(const JsonObject& tokenizer);

using AddedTokens = std::map<std::int32_t, AddedToken>;

/// Adds a batch of tokens as `tokenizers` does, whatever ids the files give. A token that is there
/// already, in the vocabulary or added, keeps its id and takes the new options. Others get the next
/// free ids. A taken id, as in a vocabulary with gaps, is an Error.
void add_tokens(const Vocabulary& vocabulary, const std::vector<AddedToken>& batch,
                AddedTokens& tokens);

/// Finds added tokens in text.
class AddedTokenSplitter {
 public:
  using Normalize = std::function<std::string(std::string_view text)>;
  /// normalize: applied to the text between the tokens that are not normalized; null changes
  /// nothing.
  explicit AddedTokenSplitter(const AddedTokens& tokens, Normalize normalize = nullptr);

  using TextSink = std::function<void(std::string_view text)>;
  using TokenSink = std::function<void(std::int32_t id)>;
  /// Hands over, in order, the tokens and the text between them (never empty, normalized). If
  /// several tokens start at one place, the longest counts.
  void split(std::string_view text, const TextSink& on_text, const TokenSink& on_token) const;

 private:
  using Entry = std::pair<std::int32_t, AddedToken>;
  /// Tokens by their first byte, the longest first.
  using Matcher = std::array<std::vector<Entry>, 256>;
  static Matcher make_matcher(const AddedTokens& tokens, bool normalized);
  static const Entry* match_at_start(const Matcher& matcher, std::string_view text);
  static void split(const Matcher& matcher, std::string_view text, const TextSink& on_text,
                    const TokenSink& on_token);

  Matcher first_, second_;
  Normalize normalize_;
};

}  // namespace dualpath::data
