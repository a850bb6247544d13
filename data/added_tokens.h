#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "data/formats/json.h"

namespace dualpath::data {

/// A token that stands for itself wherever it appears in a text: "<|im_start|>".
struct AddedToken {
  std::string content;
  std::int32_t id;
  bool normalized;  // such tokens are looked for after the others
};

/// The "added_tokens" of a tokenizer.json; none if it has none. single_word, lstrip and rstrip are
/// an Error that names the token.
std::vector<AddedToken> read_added_tokens(const JsonObject& tokenizer);

/// Finds added tokens in text.
class AddedTokenSplitter {
 public:
  using Normalize = std::function<std::string(std::string_view text)>;
  /// normalize: applied to what lies between the tokens that are not normalized; null changes
  /// nothing.
  explicit AddedTokenSplitter(const std::vector<AddedToken>& tokens, Normalize normalize = nullptr);

  using TextSink = std::function<void(std::string_view text)>;
  using TokenSink = std::function<void(std::int32_t id)>;
  /// Hands over, in order, the tokens and the text between them (never empty, normalized). Where
  /// several tokens start at one place the longest counts.
  void split(std::string_view text, const TextSink& on_text, const TokenSink& on_token) const;

 private:
  /// Tokens by their first byte, the longest first.
  using Matcher = std::array<std::vector<AddedToken>, 256>;
  static Matcher make_matcher(const std::vector<AddedToken>& tokens, bool normalized);
  static const AddedToken* match_at_start(const Matcher& matcher, std::string_view text);
  static void split(const Matcher& matcher, std::string_view text, const TextSink& on_text,
                    const TokenSink& on_token);

  Matcher first_, second_;
  Normalize normalize_;
};

}  // namespace dualpath::data
