#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/text/text.h"
#include "data/text/tokens.h"
#include "data/tokenizer/tokenizer.h"

namespace dualpath::data {

/// A stream of tokens seen as windows of `length` that do not overlap: the last may be shorter.
/// Windows in which nothing is to be predicted are left out.
class Windows {
 public:
  /// Cuts the stream. A single token left over is dropped: it predicts nothing. Without one full
  /// window, or without a target in any, it throws an Error. origin: the source of the tokens, for
  /// errors.
  Windows(Tokens stream, std::int64_t length, const std::string& origin);

  std::size_t size() const { return begins_.size(); }
  /// 2 to `length` tokens, of which at least one is predicted.
  TokenSpan operator[](std::size_t window) const { return at(begins_[window]); }

 private:
  TokenSpan at(std::size_t begin) const;

  Tokens stream_;
  std::size_t length_;
  std::vector<std::size_t> begins_;
};

/// All documents in one stream. Behind a text that another document follows stands the
/// end-of-sequence token, if the tokenizer has one; behind a conversation it does not. It is a
/// target unless the stream's targets are answers.
Tokens token_stream(const Tokenizer& tokenizer, std::span<const Document> documents);

/// Cuts token_stream() into windows.
Windows make_windows(const Tokenizer& tokenizer, std::span<const Document> documents,
                     std::int64_t length);

/// The order in which windows are trained on: every epoch visits each once, in an order of its own.
/// It is a pure function of seed and step, so that a resumed run needs no state. A batch costs
/// O(count).
class WindowOrder {
 public:
  WindowOrder(std::size_t count, std::uint64_t seed);
  /// The windows of one step; a batch may run over the end of an epoch into the next.
  std::vector<std::size_t> batch(std::int64_t step, std::int64_t batch_size) const;

 private:
  std::vector<std::size_t> epoch_order(std::uint64_t epoch) const;

  std::size_t count_;
  std::uint64_t seed_;
};

/// Picks n of `count` windows at even distances, ascending, the first among them; all if n >=
/// count.
std::vector<std::size_t> evenly_spaced(std::size_t count, std::size_t n);

}  // namespace dualpath::data
