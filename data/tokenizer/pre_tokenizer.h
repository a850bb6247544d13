#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "data/formats/json.h"
#include "data/patterns/pattern.h"

namespace dualpath::data {

/// Cuts text into the words that BPE encodes one by one: the "pre_tokenizer" of a tokenizer.json.
/// It is any number of Digits and Split, then ByteLevel, in Sequences of any depth. Only behind
/// ByteLevel are words plain bytes.
class PreTokenizer {
 public:
  /// Reads the description. Anything else that it asks for is an Error that names it.
  /// add_prefix_space: replaces ByteLevel's own.
  explicit PreTokenizer(const JsonObject& description,
                        std::optional<bool> add_prefix_space = std::nullopt);

  using Sink = std::function<void(std::string_view word)>;
  /// Hands over the words of `text`, which must be valid UTF-8. A word is valid only during the
  /// call.
  void split(std::string_view text, const Sink& sink) const { split(0, text, sink); }

 private:
  /// Cuts a piece into the pattern's matches and the text between them; without a pattern it stays
  /// whole.
  struct Step {
    std::optional<Pattern> pattern = std::nullopt;
    bool keep_matched = true, keep_between = true;
    bool add_prefix_space = false;  // puts a space in front of a piece without one
  };
  static Step digits(const JsonObject& description);
  static Step regex_split(const JsonObject& description);
  static Step byte_level(const JsonObject& description);

  void split(std::size_t step, std::string_view piece, const Sink& sink) const;

  std::vector<Step> steps_;
};

}  // namespace dualpath::data
