#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "data/formats/json.h"
#include "data/patterns/pattern.h"

namespace dualpath::data {

/// Cuts text into the words that BPE encodes one by one: the "pre_tokenizer" of a tokenizer.json.
/// It is any number of Digits and Split, then ByteLevel (only behind that are words plain bytes),
/// in Sequences of any depth.
class PreTokenizer {
 public:
  /// Whatever else the description asks for is an Error that names it. add_prefix_space: counts
  /// instead of ByteLevel's own.
  explicit PreTokenizer(const JsonObject& description,
                        std::optional<bool> add_prefix_space = std::nullopt);

  using Sink = std::function<void(std::string_view word)>;
  /// text must be valid UTF-8. A word is valid only during the call that hands it over.
  void split(std::string_view text, const Sink& sink) const { split(0, text, sink); }

 private:
  /// A piece is cut into what the pattern matches and what lies between; without a pattern it stays
  /// whole.
  struct Step {
    std::optional<Pattern> pattern = std::nullopt;
    bool keep_matched = true, keep_between = true;
    bool add_prefix_space = false;  // in front of a piece that does not start with one
  };
  static Step digits(const JsonObject& description);
  static Step regex_split(const JsonObject& description);
  static Step byte_level(const JsonObject& description);

  void split(std::size_t step, std::string_view piece, const Sink& sink) const;

  std::vector<Step> steps_;
};

}  // namespace dualpath::data
