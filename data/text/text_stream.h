#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace dualpath::data {

/// Turns the bytes of tokens into text that can be shown at once. Bytes that the next token may
/// still change are held back: a piece of a character, and a possible start of a stop string. The
/// text ends before the first stop string. Broken bytes become U+FFFD, as in Tokenizer::decode().
class TextStream {
 public:
  /// stop: strings, none of them empty.
  explicit TextStream(std::vector<std::string> stop = {}) : stop_(std::move(stop)) {}

  /// Takes the next token's bytes. Returns the text that is certain now and was not before.
  std::string add(std::string_view bytes);
  /// Whether a stop string was met. add() must not be called then.
  bool stopped() const { return stopped_; }
  /// Returns the bytes held back, at the end of a text that no stop string ended.
  std::string finish();

 private:
  std::vector<std::string> stop_;
  std::string held_;
  bool stopped_ = false;
};

}  // namespace dualpath::data
